/* The state of the drawing, and the state to what is seen. */

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
