// Do two photographs show the same face?

import { model, verify } from "../api.js";
import { facts, field, fill, h, icon, select, show } from "../dom.js";
import { distance, oneIn, oneInOf, percent, scientific } from "../format.js";
import { pasteInto, Picture } from "../picture.js";
import { problemView } from "../problem.js";
import { qualityTable, verdict } from "../quality.js";
import { thresholdAt } from "../rates.js";
import { ruler } from "../ruler.js";
import { tookView } from "../took.js";

/** The choices of a false-accept rate: the card's operating points. */
export function farOptions(card) {
  const points = card.calibration.operating_points.map(({ far }) => [String(far), oneIn(far)]);
  return [["", `As configured`], ...points, ["threshold", "Own threshold"]];
}

export async function verifyPage(place, { signal }) {
  const card = await model();
  const changed = () => {
    clear();
    button.disabled = !(first.file && second.file);
    if (first.file && second.file) compare();
  };
  const first = new Picture("First picture", changed, { signal });
  const second = new Picture("Second picture", changed, { signal });
  first.beside = [second];
  second.beside = [first];
  const results = h("section", { class: "results", "aria-live": "polite", "aria-label": "Result" });
  const button = h("button", { type: "button", class: "primary", disabled: true, on: { click: compare } }, "Compare");
  const threshold = h("input", {
    type: "number",
    min: 0,
    max: 4,
    step: "any",
    required: true,
    value: distance(thresholdAt(card.calibration.curve, card.default_far) ?? 1),
  });
  const thresholdField = field("Threshold, squared L2", threshold);
  thresholdField.hidden = true;
  const far = select(farOptions(card), "", (chosen) => {
    thresholdField.hidden = chosen !== "threshold";
    again();
  });
  const face = select(
    [
      ["largest", "Use the largest"],
      ["only", "Refuse the picture"],
    ],
    "largest",
    again,
  );
  threshold.addEventListener("change", again);
  let under = new AbortController();

  function clear() {
    under.abort();
    fill(results);
    first.mark([]);
    second.mark([]);
  }

  function again() {
    if (first.file && second.file) compare();
  }

  async function compare() {
    clear();
    const own = far.value === "threshold";
    if (own && !threshold.reportValidity()) return;
    under = new AbortController();
    const mine = under;
    button.setAttribute("aria-busy", "true");
    const started = performance.now();
    try {
      const answer = await verify(
        {
          image1: first.file,
          image2: second.file,
          face: face.value,
          far: own ? null : far.value,
          threshold: own ? threshold.value : null,
        },
        mine.signal,
      );
      const waited = performance.now() - started;
      mark(first, answer.face1, answer);
      mark(second, answer.face2, answer);
      fill(results, resultView(answer, card, waited));
      show(results);
    } catch (error) {
      if (!mine.signal.aborted) fill(results, problemView(error));
    } finally {
      if (mine === under) button.removeAttribute("aria-busy");
    }
  }

  signal.addEventListener("abort", () => under.abort());
  pasteInto([first, second], signal);
  fill(
    place,
    h(
      "div",
      {},
      h("h1", { text: "Verify" }),
      h("p", {
        class: "lead",
        text: "Do two photographs show the same face? Drop two pictures, paste them, choose files, or use the camera.",
      }),
    ),
    h("div", { class: "pair" }, first.element, second.element),
    h(
      "section",
      { class: "card", "aria-label": "How to compare" },
      h(
        "div",
        { class: "fields" },
        field("False accepts allowed", far),
        thresholdField,
        field("Where there are several faces", face),
        h("div", { class: "field fixed" }, button),
      ),
    ),
    results,
  );
}

function mark(picture, face, answer) {
  picture.mark([{ ...face, look: answer.verified ? "match" : "apart" }]);
}

function resultView(answer, card, waitedMs) {
  return [
    h("div", { class: "card stack" }, decisionView(answer), ruler(answer, card.calibration.curve)),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        { class: "results" },
        h("div", { class: "card" }, h("h2", { text: "In numbers" }), numbers(answer, card.calibration.curve)),
        h("div", { class: "card" }, h("h2", { text: "Time by stage" }), tookView(answer.took_ms, waitedMs)),
      ),
      h("div", { class: "card stack" }, h("h2", { text: "Quality" }), qualityOf(answer)),
    ),
  ];
}

function qualityOf({ face1, face2 }) {
  return [
    verdict(face1, "First picture"),
    verdict(face2, "Second picture"),
    qualityTable([
      ["First", face1],
      ["Second", face2],
    ]),
  ];
}

/** The decision in words, for a comparison of two photographs or of one with a subject. */
export function decisionView(answer, what = "The two faces match") {
  const { verified } = answer;
  return h(
    "div",
    { class: `decision ${verified ? "match" : "apart"}` },
    icon(verified ? "match" : "apart"),
    h("h2", { text: verified ? "Match" : "No match" }),
    h("p", {}, reasonOf(answer, what)),
  );
}

function reasonOf({ verified, distance: d, threshold, far }, what) {
  const cost = far === null ? "" : ` At this threshold ${oneInOf(far, "pairs of different people")} would be accepted.`;
  const side = verified
    ? `${what}: their distance of ${distance(d)} is below the threshold of ${distance(threshold)}.`
    : `Their distance of ${distance(d)} is not below the threshold of ${distance(threshold)}.`;
  return side + cost;
}

function closeness({ distance_far: rate, distance: d }, curve) {
  const [most, least] = [curve[0], curve.at(-1)];
  if (rate === null && d < least.threshold)
    return `fewer than ${oneIn(least.far)} pairs of different people are this close`;
  if (rate === null) return `more than ${percent(most.far)} of pairs of different people are this close`;
  const interval = rate.ci95.map(scientific).join(" to ");
  return `${oneInOf(rate.estimate, "pairs of different people")} are this close (95 %: ${interval})`;
}

/** The figures behind a decision. */
export function numbers(answer, curve) {
  return facts([
    ["Distance", h("span", { class: "number", text: `${distance(answer.distance)} squared L2` })],
    ["Threshold", h("span", { class: "number", text: distance(answer.threshold) })],
    ["False-accept rate", answer.far === null ? "not measured at this threshold" : scientific(answer.far)],
    ["This distance", closeness(answer, curve)],
    ["Cosine similarity", h("span", { class: "number", text: distance(answer.similarity) })],
    ["Model", h("code", { text: answer.model.id })],
  ]);
}
