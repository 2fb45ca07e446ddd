// The rates of a calibration as curves: over the threshold, and against each other.

import { decades, figure, label, line, linear, logarithmic, path } from "./chart.js";
import { h } from "./dom.js";
import { oneIn, percent } from "./format.js";
import { farAt, valAt } from "./rates.js";

const HEIGHT = 290;
const TOP = 16;
const BASE = 240;
const REJECT_DECADES = 1e-3;

function rateWords(rate) {
  return rate === 1 ? "all" : oneIn(rate).replace("1,000,000", "1 million");
}

function hasVal(curve) {
  return curve.every((point) => typeof point.val === "number");
}

/** False accepts and false rejects over the threshold; `now.threshold` is marked. */
export function ratesFigure({ curve }, now) {
  const words = "Rates over the threshold: as the threshold grows, false accepts grow and false rejects fall.";
  const ends = [curve.at(-1).threshold, curve[0].threshold];
  const least = Math.min(curve.at(-1).far, REJECT_DECADES);
  return figure(words, (width) => {
    const x = linear(ends, [width < 480 ? 78 : 96, width - 12]);
    const y = logarithmic([least, 1], [BASE, TOP]);
    const rejects = hasVal(curve)
      ? curve.filter((point) => point.val < 1).map((point) => [x(point.threshold), y(Math.max(1 - point.val, least))])
      : [];
    const band = [
      ...curve.map((p) => [x(p.threshold), y(Math.max(p.ci95[1], least))]),
      ...curve.toReversed().map((p) => [x(p.threshold), y(Math.max(p.ci95[0], least))]),
    ];
    const marks = [
      decades(least, 1).map((rate) => [
        line(x(ends[0]), y(rate), x(ends[1]), y(rate), "grid"),
        label(x(ends[0]) - 8, y(rate) + 4, rateWords(rate), "end"),
      ]),
      thresholdTicks(x, ends),
      h("path", { d: `${path(band)}Z`, class: "band" }),
      h("path", { d: path(curve.map((point) => [x(point.threshold), y(point.far)])), class: "curve" }),
      rejects.length ? h("path", { d: path(rejects), class: "curve reject" }) : null,
      line(x(now.threshold), TOP, x(now.threshold), BASE, "limit"),
      h("circle", { cx: x(now.threshold), cy: y(farAt(curve, now.threshold).estimate), r: 6.5, class: "point now" }),
      rejects.length
        ? h("circle", {
            cx: x(now.threshold),
            cy: y(Math.max(1 - valAt(curve, now.threshold), least)),
            r: 6.5,
            class: "point now reject",
          })
        : null,
      label((x(ends[0]) + x(ends[1])) / 2, BASE + 42, "threshold, squared L2"),
    ];
    return { height: HEIGHT, marks };
  });
}

function thresholdTicks(x, [from, to]) {
  const marks = [line(x(from), BASE, x(to), BASE, "axis")];
  for (let value = Math.ceil(from * 5) / 5; value <= to + 1e-9; value += 0.2) {
    marks.push(line(x(value), BASE, x(value), BASE + 5, "axis"), label(x(value), BASE + 20, value.toFixed(1)));
  }
  return marks;
}

/** VAL against FAR with the operating points; `now.threshold` is marked. */
export function rocFigure({ curve, operating_points: points }, now) {
  const words =
    "Receiver operating characteristic: the share of one person's pairs that are accepted, against false accepts.";
  const drawn = figure(
    words,
    (width) => {
      const x = logarithmic([curve.at(-1).far, curve[0].far], [44, width - 14]);
      const y = linear([0, 1], [BASE, TOP]);
      const at = ({ far, val }) => [x(far), y(val)];
      const rates = decades(curve.at(-1).far, curve[0].far);
      const every = width < 420 ? 2 : 1;
      const marks = [
        [0, 0.25, 0.5, 0.75, 1].map((val) => [
          line(44, y(val), width - 14, y(val), "grid"),
          label(36, y(val) + 4, percent(val), "end"),
        ]),
        rates.map((rate, index) => [
          line(x(rate), BASE, x(rate), BASE + 5, "axis"),
          index % every === 0 ? label(x(rate), BASE + 20, `1e${Math.round(Math.log10(rate))}`) : null,
        ]),
        line(44, BASE, width - 14, BASE, "axis"),
        hasVal(curve)
          ? rocMarks(curve, points, at, now)
          : label(width / 2, BASE / 2, "the calibration has no pairs of one person"),
        label(width / 2 + 20, BASE + 42, "false-accept rate (FAR)"),
      ];
      return { height: HEIGHT, marks };
    },
    "Upwards: the share of one person's pairs that are accepted (VAL). The dot is the threshold above.",
  );
  return drawn;
}

function rocMarks(curve, points, at, now) {
  const [cx, cy] = at({ far: farAt(curve, now.threshold).estimate, val: valAt(curve, now.threshold) });
  return [
    h("path", { d: path(curve.map(at)), class: "curve" }),
    points
      .filter((point) => typeof point.val === "number")
      .map((point) => h("circle", { cx: at(point)[0], cy: at(point)[1], r: 4.5, class: "point" })),
    h("circle", { cx, cy, r: 6.5, class: "point now" }),
  ];
}
