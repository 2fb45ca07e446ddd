// Where the time of an answer went.

import { h } from "./dom.js";
import { milliseconds, sentence, words } from "./format.js";

/** A bar by stage with its key; `roundTripMs` is what this page waited. */
export function tookView(tookMs, roundTripMs = null) {
  const stages = Object.entries(tookMs).filter(([stage]) => stage !== "total");
  const sum = stages.reduce((total, [, ms]) => total + ms, 0) || 1;
  let from = 0;
  const parts = stages.map(([, ms], index) => {
    const part = h("rect", {
      x: (from / sum) * 100,
      y: 0,
      width: (ms / sum) * 100,
      height: 1,
      class: `stage-${(index % 6) + 1}`,
    });
    from += ms;
    return part;
  });
  const keys = stages.map(([stage, ms], index) =>
    h(
      "li",
      {},
      h("span", { class: `swatch stage-${(index % 6) + 1}` }),
      `${sentence(words(stage))} `,
      h("span", { class: "number", text: milliseconds(ms) }),
    ),
  );
  const total = `The service took ${milliseconds(tookMs.total ?? sum)}`;
  return h(
    "div",
    { class: "stack took" },
    h(
      "div",
      { class: "meter" },
      h("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, parts),
    ),
    h("ul", { class: "keys" }, keys),
    h("p", {
      class: "small muted",
      text: roundTripMs === null ? `${total}.` : `${total}; this page waited ${milliseconds(roundTripMs)}.`,
    }),
  );
}
