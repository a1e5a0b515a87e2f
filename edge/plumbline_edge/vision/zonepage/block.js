/* The site file's block for what was drawn, and what is still wrong with it. */

const NAME = /^[a-z0-9][a-z0-9_-]{0,47}$/;

/** The first thing that keeps the block from being used, as a word of the page; null where nothing does. */
function faultOf(state) {
  if (!NAME.test(state.camera)) return 'badName';
  if (state.facades.length > 1) {
    const names = state.facades.map((facade) => facade.name);
    if (!names.every((name) => NAME.test(name))) return 'badName';
    if (new Set(names).size < names.length) return 'twin';
  }
  if (state.facades.some((facade) => facade.corners.length < 4)) return 'corners';
  if (state.facades.some((facade) => !isConvex(ordered(facade.corners)))) return 'concave';
  if (state.facades.some((facade) => facade.weights && !(total(facade.weights) > 0))) return 'noWeight';
  return null;
}

function total(weights) {
  return weights.flat().reduce((sum, weight) => sum + weight, 0);
}

/** Lines of TOML. `size` is the photo's width and height: corners are written as shares of it. */
function blockOf(state, size, words) {
  const several = state.facades.length > 1;
  const lines = ['[[cameras]]', `name = "${state.camera}"`, `track = "${state.track}"`];
  if (state.track === 'reno') {
    lines.push(state.works ? `works_begin = ${state.works}` : `# works_begin = 2026-03-02  # ${words.beginLater}`);
  }
  for (const facade of state.facades) {
    if (several) lines.push('', '[[cameras.facades]]', `name = "${facade.name}"`);
    lines.push(...facadeLines(facade, size));
  }
  return `${lines.join('\n')}\n`;
}

function facadeLines(facade, [width, height]) {
  const corners = ordered(facade.corners).map(([x, y]) => `[${share(x / width)}, ${share(y / height)}]`);
  const lines = [`floors = ${facade.floors}`, `bays = ${facade.bays}`,
    `quad = [${corners[0]}, ${corners[1]},`, `        ${corners[2]}, ${corners[3]}]`];
  if (facade.weights) {
    const sum = total(facade.weights);
    const rows = facade.weights.map((row) => `  [${row.map((weight) => decimal(weight / sum)).join(', ')}],`);
    lines.push('weights = [', ...rows, ']');
  }
  return lines;
}

function share(value) {
  return value.toFixed(4);
}

/** Without an exponent, and exact enough that 1600 of them still add up to 1. */
function decimal(value) {
  return value.toFixed(8).replace(/0+$/, '').replace(/\.$/, '.0');
}
