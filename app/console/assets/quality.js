// How well faces can be compared: what was measured, and what falls short of the requirements of enrolment.

import { h } from "./dom.js";
import { fact, percent, sentence, words } from "./format.js";

function turned(before, after) {
  return (degrees) =>
    Math.abs(degrees) < 0.5 ? "0°" : `${Math.abs(degrees).toFixed(0)}° ${degrees < 0 ? before : after}`;
}

const pixels = (px) => `${px.toFixed(0)} px`;
const three = (number) => number.toFixed(3);

// Measure to its name and how it is written; a measure that is not here is shown under its own name.
const MEASURES = {
  face_px: ["Size of the face", pixels],
  eye_distance_px: ["Between the eyes", pixels],
  yaw_degrees: ["Turned", turned("left", "right")],
  pitch_degrees: ["Raised", turned("down", "up")],
  roll_degrees: ["Tilted", turned("left", "right")],
  sharpness: ["Sharpness", three],
  brightness: ["Brightness", percent],
  contrast: ["Contrast", percent],
  confidence: ["Detector's confidence", three],
  outside_share: ["Cut off by the frame", percent],
  faces_found: ["Faces found", fact],
};

function measuresOf({ face_px, confidence, faces_found, quality = {} }) {
  const { acceptable, reasons, required, ...measured } = quality;
  const found = faces_found === undefined ? {} : { faces_found };
  return { face_px, confidence, ...measured, ...found };
}

function written(name, value) {
  const write = MEASURES[name]?.[1] ?? fact;
  return typeof value === "number" ? write(value) : fact(value);
}

function nameOf(name) {
  return MEASURES[name]?.[0] ?? sentence(words(name));
}

/** Whether the face is good enough to be enrolled, and why not; null where the service does not say. */
export function verdict({ quality }, title = null) {
  if (!quality) return null;
  const tags = quality.acceptable
    ? [h("li", { class: "tag good", text: "Good enough to enrol" })]
    : quality.reasons.map((reason) => h("li", { class: "tag warn", text: sentence(words(reason)) }));
  return h("div", { class: "verdict" }, title ? h("strong", { text: title }) : null, h("ul", {}, tags));
}

/** Measures of faces side by side; `faces` are [title, face]. */
export function qualityTable(faces) {
  const columns = faces.map(([title, face]) => [title, measuresOf(face), face.quality?.required ?? {}]);
  const names = Object.keys(MEASURES).filter((name) => columns.some(([, measured]) => name in measured));
  const others = columns.flatMap(([, measured]) => Object.keys(measured)).filter((name) => !(name in MEASURES));
  const rows = [...names, ...new Set(others)].map((name) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", text: nameOf(name) }),
      columns.map(([, measured, required]) => measureCell(name, measured, required)),
    ),
  );
  const head =
    columns.length > 1
      ? h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td"),
            columns.map(([title]) => h("th", { scope: "col", class: "number", text: title })),
          ),
        )
      : null;
  return h("table", { class: "measures" }, head, h("tbody", {}, rows));
}

function boundOf(name, value, required) {
  const side = Math.abs(value) < required ? "at least" : "at most";
  return `${side} ${written(name, required).replace(/ (right|up)$/, "")}`; // a bound holds for both sides
}

function measureCell(name, measured, required) {
  const short = name in required;
  const bound = short
    ? h("span", {
        class: "small",
        text: boundOf(name, measured[name], required[name]),
      })
    : null;
  return h(
    "td",
    { class: short ? "number short" : "number" },
    name in measured ? written(name, measured[name]) : "",
    bound ? [h("br"), bound] : null,
  );
}
