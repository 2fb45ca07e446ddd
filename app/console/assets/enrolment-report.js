// What became of the photographs of an enrolment: those that are not simply stored, in words.

import { h } from "./dom.js";
import { counted, distance } from "./format.js";
import { rejected } from "./problem.js";

/** A sentence for each photograph of an answer that somebody should look at; `first` is how many were sent before. */
export function notesOf(answer, first) {
  return [
    ...answer.faces
      .filter((row) => row.status === "rejected")
      .map((row) => `Not stored: ${rejected({ ...row, image: row.image + first })}`),
    ...answer.faces
      .filter((row) => row.outlier)
      .map(
        (row) =>
          `Stored, but look at it: picture ${row.image + first + 1} may show someone else, ` +
          `at a distance of ${distance(row.own_distance)} from the subject's other faces`,
      ),
    ...answer.duplicates.map(
      (other) =>
        `Stored, but look at it: the same face is enrolled as ${other.subject_id}, ` +
        `at a distance of ${distance(other.distance)}`,
    ),
  ];
}

/** How many are stored, and the notes, each once. */
export function reportView(stored, notes) {
  const heading = stored ? `${counted(stored, "photograph")} stored` : "Nothing was stored";
  const rows = [...new Set(notes)].map((text) => h("li", { text }));
  return h("div", { class: "notice" }, h("h3", { text: heading }), rows.length ? h("ul", {}, rows) : null);
}
