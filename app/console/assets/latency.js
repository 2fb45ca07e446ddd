// How long things took: a row for each value of a label, from a histogram of seconds.

import { h } from "./dom.js";
import { count, milliseconds, sentence, words } from "./format.js";
import { labelValues, quantile, valueOf } from "./prometheus.js";

const COLUMNS = ["Times", "Mean", "Median", "95 %"];

/** Times, mean and quantiles of the histogram `name` by `label`, most frequent first where `sorted`. */
export function latencyTable(samples, name, label, { title, sorted = false }) {
  const seen = (value) => valueOf(samples, `${name}_count`, { [label]: value });
  const values = labelValues(samples, `${name}_count`, label).filter((value) => seen(value) > 0);
  if (sorted) values.sort((a, b) => seen(b) - seen(a));
  if (!values.length) return h("p", { class: "muted", text: "Nothing was measured yet: send a picture." });
  const first = h("th", { scope: "col", text: sentence(label) });
  const others = COLUMNS.map((text) => h("th", { scope: "col", class: "number", text }));
  const rows = values.map((value) => row(samples, name, { [label]: value }, seen(value)));
  const table = h("table", { class: "latency" }, h("thead", {}, h("tr", {}, first, others)), h("tbody", {}, rows));
  return h("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": title }, table);
}

function row(samples, name, labels, seen) {
  const mean = valueOf(samples, `${name}_sum`, labels) / seen;
  const seconds = [mean, quantile(samples, name, labels, 0.5), quantile(samples, name, labels, 0.95)];
  const cells = [count(seen), ...seconds.map((value) => milliseconds(value * 1000))];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, rowName(labels)),
    cells.map((text) => h("td", { class: "number", text })),
  );
}

function rowName({ stage, route }) {
  if (stage) return sentence(words(stage));
  return route === "unmatched"
    ? "Pages, and what is no route"
    : h(
        "code",
        {},
        route.split(/(?<=\/)/).map((part) => [part, h("wbr")]),
      );
}
