/* The page itself: pointer and keys to the state, the state to what is seen. */

const $ = (id) => document.getElementById(id);
const [photo, frame, drawing, loupe] = ['photo', 'frame', 'drawing', 'loupe'].map($);
const SIZE = ['width', 'height'].map((side) => Number(photo.getAttribute(side)));
const REACH = 24;
const LOUPE_TIMES = 3;
const MOST = 40;
const LABEL = [32, 14];

let language = (navigator.language || '').toLowerCase().startsWith('zh') ? 'zh' : 'en';
let held = null;
let grip = [0, 0];
let focused = null;
let past = [];
let state = {
  camera: 'camera', track: 'new', works: '', active: 0,
  facades: [{ name: 'front', corners: [], floors: 6, bays: 4, weights: null }],
};

const words = () => WORDS[language];
const active = () => state.facades[state.active];
const scale = () => photo.clientWidth / SIZE[0];

function remember() {
  past.push(JSON.stringify(state));
  past = past.slice(-100);
}

function undo() {
  if (!past.length) return;
  state = JSON.parse(past.pop());
  focused = null;
  show();
}

function clamped([x, y]) {
  return [Math.min(Math.max(x, 0), SIZE[0]), Math.min(Math.max(y, 0), SIZE[1])];
}

/* What is seen */

function show() {
  speak();
  showFields();
  showDrawing();
  showBlock();
}

function speak() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-w]')) element.textContent = words()[element.dataset.w];
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', words()[element.dataset.label]);
  }
  $('language').textContent = words().language;
  const { corners } = active();
  const bad = corners.length === 4 && !isConvex(ordered(corners));
  $('ask').className = bad ? 'bad' : '';
  $('ask').textContent = bad ? words().askConcave
    : corners.length < 4 ? words().askCorner.replace('{n}', corners.length + 1) : words().askDone;
}

function showFields() {
  const facade = active();
  setValue($('floors'), facade.floors);
  setValue($('bays'), facade.bays);
  setValue($('name'), facade.name);
  setValue($('camera'), state.camera);
  setValue($('works'), state.works);
  $('facade-name').hidden = state.facades.length < 2;
  $('begin').hidden = state.track !== 'reno';
  for (const radio of document.querySelectorAll('input[name=track]')) radio.checked = radio.value === state.track;
  $('weighted').checked = facade.weights !== null;
  $('undo').disabled = past.length === 0;
  $('again').disabled = facade.corners.length === 0;
  showTabs();
  showWeights();
}

function setValue(input, value) {
  if (document.activeElement !== input) input.value = value;
}

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function showTabs() {
  const tabs = state.facades.map((facade, i) => {
    const tab = made('button', { type: 'button', textContent: state.facades.length > 1 ? facade.name || '?' : '1' });
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-selected', String(i === state.active));
    tab.addEventListener('click', () => { state.active = i; focused = null; show(); });
    return tab;
  });
  const add = made('button', { type: 'button', id: 'add', className: 'quiet', textContent: `+ ${words().add}` });
  add.disabled = active().corners.length < 4;
  add.addEventListener('click', addFacade);
  const parts = [...tabs, add];
  if (state.facades.length > 1) {
    const remove = made('button', { type: 'button', id: 'remove', className: 'quiet', textContent: words().remove });
    remove.addEventListener('click', removeFacade);
    parts.push(remove);
  }
  const kept = state.facades.length < 2 ? parts.slice(1) : parts;
  $('tabs').replaceChildren(...kept);
}

function addFacade() {
  remember();
  const names = ['front', 'side', 'east', 'west', 'south', 'north', 'rear'];
  const free = names.find((name) => !state.facades.some((facade) => facade.name === name));
  const { floors, bays } = active();
  state.facades.push({ name: free || `facade${state.facades.length + 1}`, corners: [], floors, bays, weights: null });
  state.active = state.facades.length - 1;
  focused = null;
  show();
}

function removeFacade() {
  remember();
  state.facades.splice(state.active, 1);
  state.active = Math.max(0, state.active - 1);
  focused = null;
  show();
}

function showWeights() {
  const facade = active();
  const box = $('weights');
  box.hidden = facade.weights === null;
  const shape = `${state.active} ${facade.floors}x${facade.bays} ${language}`;
  if (facade.weights === null || box.dataset.shape === shape) {
    if (facade.weights === null) box.dataset.shape = '';
    return;
  }
  box.dataset.shape = shape;
  const rows = facade.weights.map((row, floor) => made(
    'tr', {}, made('th', { textContent: floor + 1 }),
    ...row.map((weight, bay) => made('td', {}, weightInput(facade, floor, bay, weight))),
  ));
  box.replaceChildren(
    made('p', { className: 'note', textContent: words().weightNote }),
    made('table', {}, ...rows.reverse()),
  );
}

function weightInput(facade, floor, bay, weight) {
  const input = made('input', { type: 'number', min: 0, step: 'any', value: weight, inputMode: 'decimal' });
  input.setAttribute('aria-label', `f${floor + 1}b${bay + 1}`);
  input.addEventListener('change', () => {
    remember();
    facade.weights[floor][bay] = Math.max(0, Number(input.value) || 0);
    show();
  });
  return input;
}

/** Keeps what was typed where the grid grows or shrinks. */
function fitWeights(facade) {
  if (facade.weights === null) return;
  facade.weights = Array.from({ length: facade.floors }, (_, floor) => (
    Array.from({ length: facade.bays }, (__, bay) => facade.weights[floor]?.[bay] ?? 1)));
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function showDrawing() {
  const factor = scale();
  const seen = (corners) => corners.map(([x, y]) => [x * factor, y * factor]);
  drawing.setAttribute('viewBox', `0 0 ${photo.clientWidth} ${photo.clientHeight}`);
  const parts = [];
  state.facades.forEach((facade, i) => {
    if (facade.corners.length < 2) return;
    const corners = seen(facade.corners);
    if (corners.length < 4) {
      if (i === state.active) parts.push(svg('polyline', { class: 'facade other', points: points(corners) }));
      return;
    }
    const quad = ordered(corners);
    const fine = isConvex(quad);
    const kind = `facade${fine ? '' : ' bad'}${i === state.active ? '' : ' other'}`;
    parts.push(svg('polygon', { class: 'under', points: points(quad) }), svg('polygon', { class: kind, points: points(quad) }));
    if (fine) parts.push(...grid(facade, quad));
  });
  active().corners.forEach((corner, i) => parts.push(handle(seen([corner])[0], i)));
  drawing.replaceChildren(...parts);
  if (focused !== null) drawing.querySelector(`[data-corner="${focused}"]`)?.focus({ preventScroll: true });
}

function points(corners) {
  return corners.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(' ');
}

/** Every zone carries its name where all have room for one; else only the first does, to show where counting begins. */
function grid(facade, quad) {
  const zones = zonesOf(quad, facade.floors, facade.bays);
  const roomy = zones.every(({ corners: [[x0, y0], [x1], , [, y3]] }) => x1 - x0 > LABEL[0] && y3 - y0 > LABEL[1]);
  return zones.flatMap((zone) => {
    const outline = svg('polygon', { class: 'zone', points: points(zone.corners), 'data-zone': zone.id });
    const first = zone.id === 'f1b1' && zone.corners[1][0] - zone.corners[0][0] > LABEL[0] * .7;
    if (!roomy && !first) return [outline];
    const [mx, my] = [0, 1].map((axis) => zone.corners.reduce((sum, corner) => sum + corner[axis], 0) / 4);
    return [outline, svg('text', { class: 'label', x: mx, y: my }, zone.id)];
  });
}

function handle([x, y], i) {
  const place = { cx: x, cy: y };
  const knob = svg(
    'g', {
      class: `handle${held === i ? ' held' : ''}`, tabindex: 0, role: 'button', 'data-corner': i,
      'aria-label': words().handle.replace('{n}', i + 1),
    },
    svg('circle', { class: 'reach', r: REACH, ...place }),
    svg('circle', { class: 'ring', r: 9, ...place }),
    svg('circle', { class: 'dot', r: 9, ...place }),
    svg('circle', { class: 'heart', r: 1.8, ...place }),
  );
  knob.addEventListener('focus', () => { focused = i; });
  return knob;
}

function showBlock() {
  const fault = faultOf(state);
  $('fault').hidden = fault === null || fault === 'corners';
  $('fault').textContent = fault === null ? '' : words()[fault];
  $('toml').value = fault === null ? blockOf(state, SIZE, words()) : '';
  $('toml').placeholder = fault === null ? '' : words()[fault];
  $('copy').disabled = fault !== null;
  $('save').disabled = fault !== null;
}

function showLoupe([x, y], pointer) {
  loupe.hidden = false; // first: hidden it has no size
  const paint = loupe.getContext('2d');
  const side = loupe.width;
  const shown = loupe.clientWidth;
  const span = shown / (scale() * LOUPE_TIMES);
  paint.fillStyle = '#222';
  paint.fillRect(0, 0, side, side);
  paint.imageSmoothingEnabled = span > side;
  paint.drawImage(photo, x - span / 2, y - span / 2, span, span, 0, 0, side, side);
  for (const [width, colour] of [[5, 'rgba(0,0,0,.6)'], [2, '#ffd23f']]) {
    paint.lineWidth = width;
    paint.strokeStyle = colour;
    paint.beginPath();
    for (const [ax, ay, bx, by] of [[0, .5, .44, .5], [.56, .5, 1, .5], [.5, 0, .5, .44], [.5, .56, .5, 1]]) {
      paint.moveTo(ax * side, ay * side);
      paint.lineTo(bx * side, by * side);
    }
    paint.stroke();
  }
  const [wide, tall] = [frame.clientWidth, frame.clientHeight];
  const whole = shown + 6;
  const above = pointer[1] > whole + 40;
  const left = above ? pointer[0] - whole / 2 : pointer[0] + (pointer[0] > wide / 2 ? -whole - 40 : 40);
  const top = above ? pointer[1] - whole - 30 : pointer[1] - whole / 2;
  loupe.style.left = `${Math.min(Math.max(left, 4), Math.max(wide - whole - 4, 4))}px`;
  loupe.style.top = `${Math.min(Math.max(top, 4), Math.max(tall - whole - 4, 4))}px`;
}

/* What is done */

function under(event) {
  const box = photo.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function nearest(pointer) {
  const distances = active().corners.map(([x, y]) => Math.hypot(x * scale() - pointer[0], y * scale() - pointer[1]));
  const near = Math.min(...distances);
  return near <= REACH ? distances.indexOf(near) : null;
}

function begin(event) {
  if (event.button !== 0 || !event.isPrimary) return;
  const pointer = under(event);
  const there = clamped(pointer.map((n) => n / scale()));
  held = nearest(pointer);
  if (held === null && active().corners.length >= 4) {
    select(there);
    return;
  }
  event.preventDefault();
  remember();
  if (held === null) {
    active().corners.push(there);
    held = active().corners.length - 1;
    grip = [0, 0];
  } else {
    const [x, y] = active().corners[held];
    grip = [x - there[0], y - there[1]];
  }
  focused = held;
  frame.setPointerCapture(event.pointerId);
  show();
  showLoupe(active().corners[held], pointer);
}

function move(event) {
  if (held === null) return;
  const pointer = under(event);
  const there = pointer.map((n, axis) => n / scale() + grip[axis]);
  active().corners[held] = clamped(there);
  showDrawing();
  showLoupe(active().corners[held], pointer);
}

function end() {
  if (held === null) return;
  held = null;
  loupe.hidden = true;
  show();
}

/** A press inside another facade chooses that one. */
function select(there) {
  const inside = state.facades.findIndex((facade) => (
    facade.corners.length === 4 && isInside(ordered(facade.corners), there)));
  if (inside >= 0) { state.active = inside; focused = null; show(); }
}

function isInside(quad, [x, y]) {
  return quad.every(([ax, ay], i) => {
    const [bx, by] = quad[(i + 1) % 4];
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0;
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !isTyping()) {
    event.preventDefault();
    undo();
    return;
  }
  const corner = event.target.closest?.('[data-corner]');
  if (corner && ARROWS[event.key]) {
    event.preventDefault();
    remember();
    const i = Number(corner.dataset.corner);
    const by = event.shiftKey ? 10 : 1;
    active().corners[i] = clamped(active().corners[i].map((n, axis) => n + by * ARROWS[event.key][axis]));
    focused = i;
    show();
  } else if (event.target === frame && event.key === 'Enter' && active().corners.length < 4) {
    event.preventDefault();
    remember();
    active().corners.push([SIZE[0] / 2, SIZE[1] / 2]);
    focused = active().corners.length - 1;
    show();
  }
}

function isTyping() {
  return ['INPUT', 'TEXTAREA'].includes(document.activeElement?.tagName);
}

function setCount(which, value) {
  const count = Math.round(Number(value));
  if (!(count >= 1 && count <= MOST) || count === active()[which]) return;
  remember();
  active()[which] = count;
  fitWeights(active());
  show();
}

async function copy() {
  const text = $('toml').value;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    $('toml').select();
    document.execCommand('copy');
  }
  $('copy').textContent = words().copied;
  setTimeout(() => { $('copy').textContent = words().copy; }, 1500);
}

function save() {
  const address = URL.createObjectURL(new Blob([$('toml').value], { type: 'text/plain' }));
  const link = made('a', { href: address, download: 'zones.toml' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

frame.addEventListener('pointerdown', begin);
frame.addEventListener('pointermove', move);
frame.addEventListener('pointerup', end);
frame.addEventListener('pointercancel', end);
document.addEventListener('keydown', pressed);
$('undo').addEventListener('click', undo);
$('again').addEventListener('click', () => { remember(); active().corners = []; focused = null; show(); });
$('language').addEventListener('click', () => { language = language === 'zh' ? 'en' : 'zh'; show(); });
for (const which of ['floors', 'bays']) {
  $(which).addEventListener('input', (event) => setCount(which, event.target.value));
  $(which).addEventListener('blur', () => show());
}
for (const button of document.querySelectorAll('[data-step]')) {
  const [which, by] = button.dataset.step.split(' ');
  button.addEventListener('click', () => setCount(which, active()[which] + Number(by)));
}
$('name').addEventListener('input', (event) => { active().name = event.target.value.trim(); show(); });
$('camera').addEventListener('input', (event) => { state.camera = event.target.value.trim(); show(); });
$('works').addEventListener('input', (event) => { state.works = event.target.value; show(); });
for (const radio of document.querySelectorAll('input[name=track]')) {
  radio.addEventListener('change', () => { remember(); state.track = radio.value; show(); });
}
$('weighted').addEventListener('change', (event) => {
  remember();
  active().weights = event.target.checked ? [] : null;
  fitWeights(active());
  show();
});
$('copy').addEventListener('click', copy);
$('save').addEventListener('click', save);
new ResizeObserver(() => showDrawing()).observe(photo);
show();
