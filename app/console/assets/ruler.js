// The distance on a ruler, with the threshold and the measured share of strangers who come as close.

import { decades, figure, label, line, linear, logarithmic, path } from "./chart.js";
import { h } from "./dom.js";
import { distance as shown, oneIn } from "./format.js";

const HEIGHT = 250;
const TOP = 34;
const BASE = 188;

/** The end of the ruler: 4 is opposite, but strangers rarely lie beyond 2.4. */
function reach(answer) {
  return Math.max(answer.distance, answer.threshold) > 2.35 ? 4 : 2.5;
}

function zones(x, answer) {
  const limit = x(answer.threshold);
  return [
    h("rect", { x: x(0), y: TOP, width: limit - x(0), height: BASE - TOP, class: "zone-match" }),
    h("rect", { x: limit, y: TOP, width: x(reach(answer)) - limit, height: BASE - TOP, class: "zone-apart" }),
  ];
}

function rateAxis(x, y, curve, end) {
  const rates = decades(curve.at(-1).far, 1).filter((_, index, all) => (all.length - 1 - index) % 2 === 0);
  return rates.map((rate) => [
    line(x(0), y(rate), x(end), y(rate), "grid"),
    label(
      x(0) - 8,
      y(rate) + 4,
      rate === 1 ? "all" : oneIn(rate).replace("000,000", " million").replace(", million", " million"),
      "end",
    ),
  ]);
}

function ticks(x, end) {
  const step = end > 3 ? 1 : 0.5;
  const marks = [line(x(0), BASE, x(end), BASE, "axis")];
  for (let value = 0; value <= end + 1e-9; value += step) {
    marks.push(line(x(value), BASE, x(value), BASE + 5, "axis"), label(x(value), BASE + 19, String(value)));
  }
  return marks;
}

/** A label that stays within the drawing. */
function within(position, width, text, y, className) {
  const half = text.length * 3.7;
  const anchor = position - half < 4 ? "start" : position + half > width - 4 ? "end" : "middle";
  return label(anchor === "start" ? 4 : anchor === "end" ? width - 4 : position, y, text, anchor, className);
}

function marks(width, answer, curve) {
  const end = reach(answer);
  const x = linear([0, end], [width < 420 ? 80 : 88, width - 10]);
  const y = logarithmic([curve.at(-1).far / 2, 1], [BASE, TOP]);
  const points = curve.filter((point) => point.threshold <= end).map((point) => [x(point.threshold), y(point.far)]);
  const area = [[points.at(-1)[0], BASE], ...points.toReversed(), [points[0][0], BASE]];
  const side = answer.verified ? "match" : "apart";
  const at = x(Math.min(answer.distance, end));
  const limit = x(Math.min(answer.threshold, end));
  return [
    zones(x, answer),
    rateAxis(x, y, curve, end),
    h("path", { d: `${path(area)}Z`, class: "band" }),
    h("path", { d: path(points), class: "curve" }),
    ticks(x, end),
    line(limit, TOP - 12, limit, BASE, "limit"),
    within(limit, width, `threshold ${shown(answer.threshold)}`, TOP - 18, "strong"),
    line(at, TOP, at, BASE, `needle ${side}`),
    h("circle", { cx: at, cy: BASE, r: 8, class: `pin ${side}` }),
    within(at, width, `distance ${shown(answer.distance)}`, BASE + 42, side),
    within(x(end), width, "squared L2", BASE + 58, null),
  ];
}

/** A figure for an answer with `distance`, `threshold` and `verified`, over the curve of the model's card. */
export function ruler(answer, curve) {
  const words =
    `Distance ${shown(answer.distance)} on a scale from 0, the same, to 4, the opposite. ` +
    `The threshold is at ${shown(answer.threshold)}: the distance is ` +
    `${answer.verified ? "below it, a match" : "not below it, no match"}.`;
  const caption = "The curve: how many pairs of different people come at least this close, as measured.";
  return figure(words, (width) => ({ height: HEIGHT, marks: marks(width, answer, curve) }), caption).element;
}
