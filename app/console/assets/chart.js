// The parts of a drawing: a scale, axes, paths; redrawn when the width changes, so that text keeps its size.

import { fill, h } from "./dom.js";

const LEAST_PX = 200;

/** A linear scale from a domain to pixels. */
export function linear([d0, d1], [r0, r1]) {
  const scale = (value) => r0 + ((value - d0) * (r1 - r0)) / (d1 - d0);
  scale.invert = (pixel) => d0 + ((pixel - r0) * (d1 - d0)) / (r1 - r0);
  return scale;
}

/** A logarithmic scale from a domain to pixels. */
export function logarithmic([d0, d1], range) {
  const scale = linear([Math.log10(d0), Math.log10(d1)], range);
  return (value) => scale(Math.log10(value));
}

/** The powers of ten within a domain. */
export function decades(least, most) {
  const powers = [];
  for (let exponent = Math.ceil(Math.log10(least) - 1e-9); exponent <= Math.log10(most) + 1e-9; exponent += 1) {
    powers.push(10 ** exponent);
  }
  return powers;
}

/** Points [x, y] as the d of a path. */
export function path(points) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** Horizontal and vertical lines. */
export function line(x1, y1, x2, y2, className) {
  return h("line", { x1, y1, x2, y2, class: className });
}

/** Words at a point; `anchor` is start, middle or end. */
export function label(x, y, words, anchor = "middle", className = null) {
  return h("text", { x, y, "text-anchor": anchor, class: className, text: words });
}

/**
 * A figure that draws itself at the width that it has.
 *
 * `draw(width)` answers {height, marks}; `words` say the same to who cannot see it. Call `redraw` when data change.
 */
export function figure(words, draw, caption = null) {
  const svg = h("svg", { role: "img", "aria-label": words });
  const element = h("figure", { class: "figure" }, svg, caption ? h("figcaption", { text: caption }) : null);
  let width = 0;
  const redraw = () => {
    if (width < LEAST_PX) return; // not laid out yet
    const { height, marks } = draw(width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    fill(svg, marks);
  };
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width) return;
    width = now;
    redraw();
  }).observe(element);
  return { element, redraw, say: (text) => svg.setAttribute("aria-label", text) };
}
