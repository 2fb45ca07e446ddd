// What the service says of a face's quality, whatever it measures.

import { h } from "./dom.js";
import { fact, sentence, words } from "./format.js";

/** Reasons and measures of a face; size and the detector's probability where the service says no more. */
export function qualityView(face, title) {
  const { reasons = [], ...measured } = face.quality ?? {};
  const rows = { face_px: face.face_px, detector: face.confidence, ...measured };
  if (face.faces_found > 1) rows.faces_found = face.faces_found;
  return h(
    "div",
    { class: "quality" },
    h("h3", { text: title }),
    reasons.length
      ? h("ul", {}, reasons.map((reason) => h("li", { class: "tag warn", text: sentence(words(String(reason.code ?? reason))) })))
      : null,
    h(
      "dl",
      { class: "facts" },
      Object.entries(rows).flatMap(([name, value]) => [h("dt", { text: sentence(words(name)) }), h("dd", { class: "number", text: fact(value) })]),
    ),
  );
}
