// Elements from code: the page never parses text as HTML, so nothing that a picture or a name says can become markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set([
  "svg",
  "g",
  "path",
  "rect",
  "circle",
  "line",
  "polyline",
  "polygon",
  "text",
  "title",
  "tspan",
]);

/** An element. `on` holds listeners, `class`, `text`, `hidden` and the like are set; null children are left out. */
export function h(tag, properties = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "text") element.textContent = value;
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

/** Children that may be null, text or lists of children. */
export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
  return parent;
}

/** These children in place of those that were there. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  return append(parent, children);
}

const ICONS = {
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20.5c1-4 4-6 7.5-6s6.5 2 7.5 6",
  match: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 12.3l2.8 2.8L16.2 9.5",
  apart: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 10h7M8.5 14h7M14.5 7l-5 10",
  sun:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2" +
    "M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  key: "M8.5 11.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11.5 12.5L20 4M16 8l3 3",
  cross: "M6 6l12 12M18 6L6 18",
};

/** A line icon that says nothing to a screen reader; the words are beside it. */
export function icon(name) {
  return h(
    "svg",
    { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    h("path", {
      d: ICONS[name],
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.8,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    }),
  );
}

let fields = 0;

/** A labelled control with an optional hint. */
export function field(label, control, hint = null, fixed = false) {
  fields += 1;
  control.id ||= `field-${fields}`;
  const hinted = hint ? h("p", { class: "hint", id: `${control.id}-hint`, text: hint }) : null;
  if (hinted) control.setAttribute("aria-describedby", hinted.id);
  return h(
    "div",
    { class: fixed ? "field fixed" : "field" },
    h("label", { for: control.id, text: label }),
    control,
    hinted,
  );
}

/** A choice; `options` are [value, words]. */
export function select(options, chosen, onChange) {
  const control = h("select", { on: { change: () => onChange?.(control.value) } });
  for (const [value, words] of options) control.append(h("option", { value, selected: value === chosen, text: words }));
  return control;
}

/** Words and values, one under the other. */
export function facts(rows) {
  const list = h("dl", { class: "facts" });
  for (const [term, value] of rows) {
    if (value !== null && value !== undefined) append(list, [h("dt", { text: term }), h("dd", {}, value)]);
  }
  return list;
}

/** Say something that needs no answer; a screen reader reads it out. */
export function toast(words) {
  const element = h("p", { class: "toast", text: words });
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), 6000);
}

/** Bring the top of an answer into view where it came below the fold. */
export function show(element) {
  const { top } = element.getBoundingClientRect();
  if (top < innerHeight * 0.75) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollBy({ top: top - innerHeight * 0.3, behavior: still ? "auto" : "smooth" });
}
