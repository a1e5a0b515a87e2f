/* What a person does on the page, to the state. */

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
