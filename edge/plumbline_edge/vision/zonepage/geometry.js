/* Corners to an ordered, convex facade and to its zones: numbers in, numbers out. */

/** The four corners clockwise from top left, in whichever order they were clicked. */
function ordered(corners) {
  const cx = corners.reduce((sum, [x]) => sum + x, 0) / corners.length;
  const cy = corners.reduce((sum, [, y]) => sum + y, 0) / corners.length;
  const around = [...corners].sort((a, b) => Math.atan2(a[1] - cy, a[0] - cx) - Math.atan2(b[1] - cy, b[0] - cx));
  let best = around;
  let most = -Infinity;
  for (let turn = 0; turn < around.length; turn += 1) {
    const [p0, p1, p2, p3] = [...around.slice(turn), ...around.slice(0, turn)];
    const rightwards = (p1[0] - p0[0]) + (p2[0] - p3[0]) + (p3[1] - p0[1]) + (p2[1] - p1[1]);
    if (rightwards > most) [best, most] = [[p0, p1, p2, p3], rightwards];
  }
  return best;
}

/** Whether the outline turns right at every corner, y pointing down. */
function isConvex(quad) {
  return quad.every(([x, y], i) => {
    const [bx, by] = quad[(i + 1) % 4];
    const [cx, cy] = quad[(i + 2) % 4];
    return (bx - x) * (cy - by) - (by - y) * (cx - bx) > 1e-6;
  });
}

/** The map from the unit square to the quad: Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3. */
function squareToQuad([[x0, y0], [x1, y1], [x2, y2], [x3, y3]]) {
  const [sx, sy] = [x0 - x1 + x2 - x3, y0 - y1 + y2 - y3];
  const [ax, ay, bx, by] = [x1 - x2, y1 - y2, x3 - x2, y3 - y2];
  const area = ax * by - ay * bx;
  const [g, h] = [(sx * by - sy * bx) / area, (ax * sy - ay * sx) / area];
  const [a, b, d, e] = [x1 - x0 + g * x1, x3 - x0 + h * x3, y1 - y0 + g * y1, y3 - y0 + h * y3];
  return (u, v) => {
    const w = g * u + h * v + 1;
    return [(a * u + b * v + x0) / w, (d * u + e * v + y0) / w];
  };
}

/** Each zone's name and corners, floor by floor from the ground. */
function zonesOf(quad, floors, bays) {
  const at = squareToQuad(quad);
  const zones = [];
  for (let floor = 1; floor <= floors; floor += 1) {
    for (let bay = 1; bay <= bays; bay += 1) {
      const [top, bottom] = [1 - floor / floors, 1 - (floor - 1) / floors];
      const [left, right] = [(bay - 1) / bays, bay / bays];
      zones.push({
        id: `f${floor}b${bay}`, floor, bay,
        corners: [at(left, top), at(right, top), at(right, bottom), at(left, bottom)],
      });
    }
  }
  return zones;
}
