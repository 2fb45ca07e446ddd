// The served model: its card, its measured rates, and what a threshold costs.

import { model } from "../api.js";
import { facts, field, fill, h } from "../dom.js";
import { count, counted, distance, fact, oneIn, oneInOf, percent, scientific, sentence, words } from "../format.js";
import { farAt, fpirOf, thresholdAt, valAt } from "../rates.js";
import { ratesFigure, rocFigure } from "../roc.js";

export async function modelPage(place) {
  const card = await model();
  const { calibration } = card;
  const { curve } = calibration;
  const start = thresholdAt(curve, card.default_far) ?? curve[Math.floor(curve.length / 2)].threshold;
  const slider = h("input", {
    type: "range",
    min: curve.at(-1).threshold,
    max: curve[0].threshold,
    step: "any",
    value: start,
  });
  slider.setAttribute("aria-valuetext", "");
  const faces = h("input", { type: "number", min: 1, max: 100000000, step: 1, value: 1000 });
  const costs = h("div", { class: "cost" });
  const now = { threshold: start };
  const rates = ratesFigure(calibration, now);
  const roc = rocFigure(calibration, now);
  const table = h("tbody");

  function move(threshold) {
    now.threshold = threshold;
    slider.value = threshold;
    const cost = costOf(curve, threshold, Number(faces.value) || 1);
    slider.setAttribute("aria-valuetext", `Threshold ${distance(threshold)}: ${cost.words}`);
    fill(costs, cost.parts);
    rates.redraw();
    roc.redraw();
    fill(
      table,
      calibration.operating_points.map((point) => pointRow(point, card, threshold, move)),
    );
  }

  // The ends of the range are rounded by the browser; what is shown stays on the curve.
  slider.addEventListener("input", () =>
    move(Math.min(Math.max(Number(slider.value), curve.at(-1).threshold), curve[0].threshold)),
  );
  faces.addEventListener("input", () => move(now.threshold));
  fill(
    place,
    h(
      "div",
      {},
      h("h1", { text: "Model" }),
      h("p", { class: "lead" }, h("code", { text: card.id }), `, ${card.architecture}`),
    ),
    h(
      "section",
      { class: "card stack", "aria-label": "What a threshold costs" },
      h("h2", { text: "What a threshold costs" }),
      h(
        "div",
        { class: "fields" },
        field("Threshold, squared L2", slider),
        h("div", { class: "fixed" }, field("Faces in the gallery", faces)),
      ),
      costs,
      rates.element,
      h(
        "ul",
        { class: "keys" },
        h("li", {}, h("span", { class: "swatch accept" }), "False accepts: different people taken for one"),
        h("li", {}, h("span", { class: "swatch reject" }), "False rejects: one person taken for two"),
      ),
      h("p", {
        class: "small muted",
        text: measuredOn(calibration),
      }),
    ),
    h(
      "div",
      { class: "columns wide-right" },
      h("section", { class: "card stack", "aria-label": "ROC" }, h("h2", { text: "ROC" }), roc.element),
      h(
        "section",
        { class: "card stack", "aria-label": "Operating points" },
        h("h2", { text: "Operating points" }),
        pointTable(table),
      ),
    ),
    cardView(card),
  );
  move(start);
}

function measuredOn({ data, people, impostor_pairs: impostors, genuine_pairs: genuine }) {
  return (
    `Measured on ${data}: ${count(people)} people, ${count(impostors)} pairs of different people and ` +
    `${count(genuine)} of one person. Other photographs give other rates; measure on your own where it matters.`
  );
}

function costOf(curve, threshold, faces) {
  const far = farAt(curve, threshold);
  const val = valAt(curve, threshold);
  const fpir = fpirOf(far.estimate, faces);
  const rejects = val === null ? null : 1 - val;
  const said =
    `${oneInOf(far.estimate, "pairs of different people")} accepted` +
    (rejects === null ? "" : `, ${percent(rejects)} of one person's pairs rejected`);
  const parts = [
    cost(
      "False accepts",
      oneIn(far.estimate),
      `of comparisons of different people; 95 %: ${scientific(far.ci95[0])} to ${scientific(far.ci95[1])}`,
      far.estimate,
      "accept",
    ),
    cost(
      "False rejects",
      rejects === null ? "not measured" : percent(rejects),
      "of comparisons of one person with another photograph of the same",
      rejects ?? 0,
      "reject",
    ),
    cost(
      "Strangers named",
      `up to ${percent(fpir)}`,
      `of strangers who are looked up among ${counted(faces, "face")} are given a name`,
      fpir,
      "accept",
    ),
  ];
  return { words: said, parts };
}

function cost(name, value, more, share, look) {
  const bar = h(
    "svg",
    { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { x: 0, y: 0, height: 1, width: Math.max(0.5, Math.min(1, share) * 100), class: look }),
  );
  return h(
    "div",
    { "data-cost": look },
    h("span", { class: "small muted", text: name }),
    h("span", { class: "value number", text: value }),
    h("div", { class: "meter" }, bar),
    h("span", { class: "small muted", text: more }),
  );
}

function pointTable(body) {
  const head = [
    ["False accepts", false],
    ["Threshold", true],
    ["95 %", true],
    ["VAL", true],
    ["", false],
  ];
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Table of operating points" },
    h(
      "table",
      {},
      h("caption", { text: "VAL: the share of one person's pairs that are accepted." }),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map(([text, number]) =>
            text ? h("th", { scope: "col", class: number ? "number" : null, text }) : h("td"),
          ),
        ),
      ),
      body,
    ),
  );
}

function pointRow(point, card, threshold, move) {
  const used = Math.abs(point.threshold - threshold) < 1e-4;
  const name = `${oneIn(point.far)}${point.far === card.default_far ? " (default)" : ""}`;
  return h(
    "tr",
    { class: used ? "current" : null },
    h("th", { scope: "row", text: name }),
    h("td", { class: "number", text: distance(point.threshold) }),
    h("td", { class: "number", text: `${scientific(point.ci95[0])} to ${scientific(point.ci95[1])}` }),
    h("td", { class: "number", text: point.val === null ? "" : percent(point.val) }),
    h(
      "td",
      {},
      h("button", {
        type: "button",
        class: "slim",
        text: "Show",
        "aria-label": `Show what ${oneIn(point.far)} costs`,
        on: { click: () => move(point.threshold) },
      }),
    ),
  );
}

function cardView(card) {
  const { input, provenance, results } = card;
  return h(
    "section",
    { class: "card stack", "aria-label": "Card" },
    h("h2", { text: "Card" }),
    facts([
      ["Id", h("code", { text: card.id })],
      ["SHA-256", h("code", { text: card.sha256 })],
      ["Architecture", card.architecture],
      ["Parameters", count(card.parameters)],
      ["Embedding", `${card.embedding_size} numbers, a unit vector`],
      ["Input", `${input.crop_px} x ${input.crop_px} px, ${input.colour}, (value - ${input.mean}) / ${input.std}`],
      ["Default", `${oneIn(card.default_far)} false accepts`],
      ["Terms", provenance.terms ?? null],
      ["Exported", provenance.exported ?? null],
    ]),
    h("details", {}, h("summary", { text: "Measured accuracy" }), tree(results)),
    h("details", {}, h("summary", { text: "Where it comes from" }), tree(provenance)),
  );
}

/** Whatever the card holds, as nested facts. */
function tree(value) {
  if (value === null || typeof value !== "object") return fact(value);
  if (Array.isArray(value))
    return value.every((one) => typeof one !== "object") ? fact(value) : h("div", { class: "stack" }, value.map(tree));
  return facts(Object.entries(value).map(([name, inner]) => [sentence(words(name)), tree(inner)]));
}
