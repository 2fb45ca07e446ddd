// What a distance means, read from the curve of the model's card. The same interpolation as the service's own.
//
// A curve is a list of points {far, threshold, ci95, val} that fall in FAR and in threshold.

function between(x, x0, y0, x1, y1) {
  return x0 === x1 ? y0 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** The two neighbouring points around a value of `name`; null outside the curve. */
function around(curve, name, value) {
  if (value > curve[0][name] || value < curve.at(-1)[name]) return null;
  const right = Math.max(
    1,
    curve.findIndex((point) => point[name] <= value),
  );
  return [curve[right - 1], curve[right]];
}

function logRate(squaredL2, upper, lower, above, below) {
  if (Math.min(above, below) <= 0) return between(squaredL2, upper.threshold, above, lower.threshold, below);
  return Math.exp(between(squaredL2, upper.threshold, Math.log(above), lower.threshold, Math.log(below)));
}

/** Share of different people's pairs below a distance, {estimate, ci95}; null where the pairs cannot say. */
export function farAt(curve, squaredL2) {
  const found = around(curve, "threshold", squaredL2);
  if (!found) return null;
  const [upper, lower] = found;
  const rate = (read) => logRate(squaredL2, upper, lower, read(upper), read(lower));
  return { estimate: rate((p) => p.far), ci95: [rate((p) => p.ci95[0]), rate((p) => p.ci95[1])] };
}

/** Share of one person's pairs below a distance (VAL); null where it was not measured. */
export function valAt(curve, squaredL2) {
  const found = around(curve, "threshold", squaredL2);
  if (!found || found.some((point) => point.val === null || point.val === undefined)) return null;
  const [upper, lower] = found;
  return between(squaredL2, upper.threshold, upper.val, lower.threshold, lower.val);
}

/** The threshold at a false-accept rate; null outside the curve. */
export function thresholdAt(curve, far) {
  const found = around(curve, "far", far);
  if (!found) return null;
  const [upper, lower] = found;
  return between(Math.log(far), Math.log(upper.far), upper.threshold, Math.log(lower.far), lower.threshold);
}

/** The chance that a stranger is given any name among `faces` enrolled ones; the union bound, at most 1. */
export function fpirOf(far, faces) {
  return Math.min(1, far * Math.max(1, faces));
}
