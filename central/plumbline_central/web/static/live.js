// Keeps a drawn page true: takes the event stream, writes values into their places, lets ages grow, says when it is cut off.
"use strict";
(() => {
  const body = document.body;
  const words = document.getElementById("words").dataset;
  const link = document.getElementById("link");
  const linkWord = document.getElementById("link-word");
  const lost = document.getElementById("lost");
  const source = body.dataset.parts;
  if (!source) return;

  const site = body.dataset.site;
  const staleAfter = Number(body.dataset.stale);
  const language = document.documentElement.lang;
  const SILENCE_MS = 40000;   // the server speaks at least every 15 s
  const PATIENCE_MS = 1500;   // shorter interruptions nobody needs to hear of
  const REDRAW_MS = 1000;
  const WHOLE_EVERY = 4;      // heartbeats; what no event tells, such as a day of power, is never older
  const PARTS_OF = {
    frame: [], gateway: [], photo: ["photo", "hero"],
    progress: ["hero", "curve", "photo", "alerts"], alert: ["hero", "alerts"],
  };

  // The server's clock: in a simulation it runs faster than this machine's.
  let clock = { server: Date.parse(body.dataset.now), here: performance.now(), rate: Number(body.dataset.rate) };
  const now = () => clock.server + (performance.now() - clock.here) * clock.rate;

  const say = (text, n) => text.replace("{n}", n);
  const age = (seconds) => {
    if (seconds < -60) return words.ageAhead;
    if (seconds < 2) return words.ageNow;
    if (seconds < 60) return say(words.ageSeconds, Math.floor(seconds));
    if (seconds < 3600) return say(words.ageMinutes, Math.floor(seconds / 60));
    if (seconds < 172800) return say(words.ageHours, Math.floor(seconds / 3600));
    return say(words.ageDays, Math.floor(seconds / 86400));
  };
  const local = new Intl.DateTimeFormat(language, {
    timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
  const localDay = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: "Asia/Shanghai", month: "short", day: "numeric" });
  const localMinute = new Intl.DateTimeFormat(language, { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  const tick = () => {
    const at = now();
    for (const time of document.querySelectorAll("time[data-at]")) {
      const text = age((at - Date.parse(time.dataset.at)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
    for (const card of document.querySelectorAll("[data-fresh]")) {
      card.classList.toggle("stale", (at - Date.parse(card.dataset.fresh)) / 1000 > staleAfter);
    }
    const shown = document.getElementById("clock");
    if (shown && !cut) shown.textContent = `${localDay.format(at)} ${localMinute.format(at)}`;
  };

  // Values
  const formats = new Map();
  const format = (value, decimals) => {
    if (!formats.has(decimals)) {
      formats.set(decimals, new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
    }
    const text = formats.get(decimals).format(value);
    return text.replace(/^-(?=[0.,]*$)/, "").replace("-", "\u2212");
  };
  const frames = new Map();
  const showFrames = () => {
    for (const frame of frames.values()) showFrame(frame);
    frames.clear();
  };
  const showFrame = (frame) => {
    const card = [...document.querySelectorAll(".meter")].find(
      (one) => one.dataset.device === frame.device && one.dataset.gateway === frame.gateway);
    if (!card) { redraw(["meters"]); return; }
    if (Date.parse(frame.at) < Date.parse(card.dataset.fresh)) return;
    card.dataset.fresh = frame.at;
    const time = card.querySelector("header time");
    time.dataset.at = time.dateTime = frame.at;
    for (const cell of card.querySelectorAll("[data-metric]")) {
      const said = frame.values[cell.dataset.metric];
      if (!said) continue;
      const [value, , flaw] = said;
      const missing = value === null;
      cell.textContent = missing ? words.none : format(value * Number(cell.dataset.factor), Number(cell.dataset.decimals));
      cell.className = `value value-${missing ? "bad" : flaw === null ? "good" : "uncertain"}`;
      cell.title = flaw === null ? "" : words[`flaw-${flaw}`] ?? "";
    }
    for (const reason of card.querySelectorAll("[data-reason]")) {
      const said = frame.values[reason.dataset.reason];
      if (said) reason.textContent = said[2] === null ? "" : words[`flaw-${said[2]}`] ?? "";
    }
  };

  // Every batch says that its gateway was heard; only what that does not tell needs drawing.
  const showSeen = (said) => {
    const time = [...document.querySelectorAll("time[data-seen]")].find((one) => one.dataset.seen === said.gateway);
    if (time && said.last_seen) time.dataset.at = time.dateTime = said.last_seen;
    if (!time || "online" in said) redraw(["gateways", "hero"]);
  };

  // Parts: the server draws them, this puts them in place without taking words out of a person's hands.
  const drawn = new Map();
  const waiting = new Set();
  let timer = null;
  let busy = false;
  const redraw = (parts) => {
    for (const part of parts) waiting.add(part);
    if (timer === null && waiting.size) timer = setTimeout(fetchParts, REDRAW_MS);
  };
  const everyPart = () => [...document.querySelectorAll("[data-part]")].map((part) => part.dataset.part);
  const fetchParts = async () => {
    timer = null;
    if (busy) { timer = setTimeout(fetchParts, REDRAW_MS); return; }
    const wanted = [...waiting];
    waiting.clear();
    busy = true;
    try {
      const answer = await fetch(`${source}?only=${wanted.join(",")}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(`${answer.status}`);
      for (const [part, html] of Object.entries(await answer.json())) place(part, html);
      tick();
    } catch {
      if (!cut) setTimeout(() => redraw(wanted), 5000);
    } finally {
      busy = false;
    }
  };
  const inUse = (part) => [...part.querySelectorAll("input:not([type=checkbox])")].some(
    (field) => field === document.activeElement || field.value !== field.defaultValue);
  const place = (name, html) => {
    const part = document.querySelector(`[data-part="${name}"]`);
    if (!part || drawn.get(name) === html) return;
    if (inUse(part)) { setTimeout(() => redraw([name]), 3000); return; }
    drawn.set(name, html);
    const opened = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    const checked = new Map([...part.querySelectorAll("input[type=checkbox][id]")].map((one) => [one.id, one.checked]));
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = html;
    for (const one of part.querySelectorAll("details[id]")) if (opened.has(one.id)) one.open = opened.get(one.id);
    for (const one of part.querySelectorAll("input[type=checkbox][id]")) if (checked.has(one.id)) one.checked = checked.get(one.id);
    if (focused) document.getElementById(focused)?.focus();
  };

  // The line
  let stream = null;
  let lastId = null;
  let heard = performance.now();
  let cut = false;
  let cutTimer = null;
  let again = 1000;
  let beats = 0;
  const state = (name, text) => { link.hidden = false; link.dataset.state = name; linkWord.textContent = text; };
  const isUp = () => {
    clearTimeout(cutTimer);
    cutTimer = null;
    again = 1000;
    if (cut) { cut = false; lost.hidden = true; body.classList.remove("offline"); }
    state("live", words.live);
  };
  const isDown = () => {
    if (cut || cutTimer !== null) return;
    const since = now();
    state("connecting", words.connecting);
    cutTimer = setTimeout(() => {
      cut = true;
      lost.textContent = words.lost.replace("{time}", local.format(since));
      lost.hidden = false;
      body.classList.add("offline");
      state("lost", words.connecting);
    }, PATIENCE_MS);
  };
  const open = () => {
    stream?.close();
    const query = new URLSearchParams();
    if (site) query.set("site", site);
    if (lastId !== null) query.set("after", lastId);
    stream = new EventSource(`/api/v1/events?${query}`);
    const hear = (kind, handle) => stream.addEventListener(kind, (event) => {
      heard = performance.now();
      if (event.lastEventId) lastId = event.lastEventId;
      handle(JSON.parse(event.data));
    });
    stream.addEventListener("open", () => { heard = performance.now(); isUp(); redraw(everyPart()); });
    stream.addEventListener("error", () => {
      isDown();
      if (stream.readyState === EventSource.CLOSED) {  // an answer that is no stream: the browser gives up, this does not
        setTimeout(open, again);
        again = Math.min(again * 2, 30000);
      }
    });
    hear("clock", (said) => {
      clock = { server: Date.parse(said.now), here: performance.now(), rate: said.rate };
      beats += 1;
      redraw(!site ? ["sites"] : beats % (clock.rate > 1 ? 1 : WHOLE_EVERY) ? ["hero", "gateways"] : everyPart());
    });
    hear("resync", () => redraw(everyPart()));
    for (const kind of Object.keys(PARTS_OF)) {
      hear(kind, (said) => {
        if (!site) { if (kind !== "frame") redraw(["sites"]); return; }
        if (kind === "frame") {
          if (!frames.size) requestAnimationFrame(showFrames);
          frames.set(`${said.gateway}\n${said.device}`, said);
        }
        if (kind === "gateway") showSeen(said);
        redraw(PARTS_OF[kind]);
      });
    }
  };
  setInterval(() => {
    tick();
    if (stream && performance.now() - heard > SILENCE_MS) { heard = performance.now(); isDown(); open(); }
  }, 1000);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  state("connecting", words.connecting);
  open();
})();
