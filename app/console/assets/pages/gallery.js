// Who is enrolled: galleries, their subjects in pages, and the way to one subject.

import { createGallery, dropGallery, Problem, subjects } from "../api.js";
import { confirm, open } from "../dialog.js";
import { field, fill, h, icon, select, toast } from "../dom.js";
import { enrolSubject } from "../enrolment.js";
import { counted, moment } from "../format.js";
import { allGalleries, galleryField } from "../galleries.js";
import { problemView } from "../problem.js";
import { subjectPage } from "./subject.js";

const KEPT = "sameface.gallery";
const TYPING_MS = 250;

export async function galleryPage(place, { rest: [named, subjectId], signal }) {
  const name = named ?? sessionStorage.getItem(KEPT) ?? "default";
  sessionStorage.setItem(KEPT, name);
  if (subjectId !== undefined) return subjectPage(place, { gallery: name, subjectId, signal });
  const found = await allGalleries();
  const list = new SubjectList(name, signal);
  const go = (gallery) => {
    sessionStorage.setItem(KEPT, gallery);
    location.hash = `#/gallery/${encodeURIComponent(gallery)}`;
  };
  const add = () => addSubject(name);
  fill(
    place,
    h(
      "div",
      { class: "heading" },
      h("div", {}, h("h1", { text: "Gallery" }), h("p", { class: "lead", text: "Who is enrolled, and who is to be found by an identification." })),
      h("button", { type: "button", class: "primary", text: "Add a subject", on: { click: add } }),
    ),
    h(
      "section",
      { class: "card", "aria-label": "Which gallery" },
      h(
        "div",
        { class: "fields" },
        galleryField(found, name, go),
        h(
          "div",
          { class: "buttons fixed" },
          h("button", { type: "button", text: "New gallery", on: { click: () => makeGallery(go) } }),
          h("button", { type: "button", class: "danger", text: "Drop gallery", on: { click: () => drop(name, found, go) } }),
        ),
      ),
    ),
    list.element,
  );
  await list.load();
  return undefined;
}

async function addSubject(gallery) {
  const answer = await enrolSubject({ gallery });
  if (answer) location.hash = `#/gallery/${encodeURIComponent(gallery)}/${encodeURIComponent(answer.subjectId)}`;
}

async function makeGallery(go) {
  const name = await open("New gallery", (close) => {
    const input = h("input", { required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off", spellcheck: "false", autofocus: true });
    const said = h("div", { "aria-live": "polite" });
    return h(
      "form",
      { method: "dialog", on: { submit: make } },
      field("Name", input, "Letters, digits, dot, underscore and hyphen; it begins with a letter or digit"),
      said,
      h("div", { class: "buttons end" }, h("button", { type: "button", text: "Cancel", on: { click: () => close(null) } }), h("button", { type: "submit", class: "primary", text: "Make gallery" })),
    );
    async function make(event) {
      event.preventDefault();
      try {
        close((await createGallery(input.value)).name);
      } catch (error) {
        fill(said, problemView(error));
      }
    }
  });
  if (name) {
    toast(`The gallery ${name} is there.`);
    go(name);
  }
}

async function drop(name, found, go) {
  const held = found?.find((gallery) => gallery.name === name);
  const words = held ? `${counted(held.subjects, "subject")} with ${counted(held.faces, "face")} will be erased with it. This cannot be undone.` : "All its subjects and faces will be erased with it. This cannot be undone.";
  if (!(await confirm({ title: `Drop the gallery ${name}?`, words, action: "Drop gallery", typed: name }))) return;
  try {
    const { erased } = await dropGallery(name);
    toast(`${name} is gone, with ${counted(erased.subjects, "subject")} and ${counted(erased.faces, "face")}.`);
    const next = found?.find((gallery) => gallery.name !== name)?.name ?? "default";
    go(next);
    if (next === name) dispatchEvent(new HashChangeEvent("hashchange"));
  } catch (error) {
    await open("The gallery is still there", (close) =>
      h("div", { class: "stack" }, problemView(error), h("div", { class: "buttons end" }, h("button", { type: "button", text: "Close", autofocus: true, on: { click: () => close() } }))),
    );
  }
}

/** The subjects of a gallery in pages, narrowed by what their ids begin with. */
class SubjectList {
  constructor(gallery, signal) {
    this.gallery = gallery;
    this.cursors = [null]; // of the pages up to this one
    this.signal = signal;
    this.under = new AbortController();
    signal.addEventListener("abort", () => this.under.abort());
    this.prefix = h("input", { type: "search", spellcheck: "false", autocomplete: "off", maxlength: 128 });
    this.prefix.addEventListener("input", () => this.#typed());
    this.limit = select([["10", "10"], ["25", "25"], ["100", "100"]], "25", () => this.#from(null));
    this.previous = h("button", { type: "button", text: "Previous", disabled: true, on: { click: () => this.#back() } });
    this.next = h("button", { type: "button", text: "Next", disabled: true, on: { click: () => this.#forward() } });
    this.rows = h("div", { "aria-live": "polite" });
    this.where = h("p", { class: "muted small" });
    this.element = h(
      "section",
      { class: "card stack", "aria-label": "Subjects" },
      h("div", { class: "fields" }, field("Search by the beginning of the subject id", this.prefix), h("div", { class: "fixed" }, field("Rows", this.limit))),
      this.rows,
      h("div", { class: "heading" }, this.where, h("div", { class: "buttons" }, this.previous, this.next)),
    );
  }

  /** Ask for the page and show it. */
  async load() {
    this.under.abort();
    this.under = new AbortController();
    const mine = this.under;
    try {
      const query = { gallery: this.gallery, prefix: this.prefix.value, limit: this.limit.value, cursor: this.cursors.at(-1) };
      this.#show(await subjects(query, mine.signal));
    } catch (error) {
      if (mine.signal.aborted) return;
      fill(this.rows, error instanceof Problem && error.code === "gallery_not_found" ? this.#nothing(true) : problemView(error));
    }
  }

  #typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.#from(null), TYPING_MS);
  }

  #from(cursor) {
    this.cursors = [cursor];
    return this.load();
  }

  async #back() {
    this.cursors.pop();
    await this.load();
    if (this.previous.disabled) this.next.focus();
  }

  async #forward() {
    this.cursors.push(this.following);
    await this.load();
    if (this.next.disabled) this.previous.focus();
  }

  #show({ items, next_cursor: following }) {
    this.following = following;
    this.previous.disabled = this.cursors.length < 2;
    this.next.disabled = following === null;
    this.where.textContent = items.length ? `Page ${this.cursors.length}, ${counted(items.length, "subject")}` : "";
    fill(this.rows, items.length ? subjectTable(items) : this.#nothing(false));
  }

  #nothing(missing) {
    const words = missing
      ? `There is no gallery ${this.gallery} yet. It is made with its first subject.`
      : this.prefix.value
        ? `No subject id begins with ${this.prefix.value}.`
        : "Nobody is enrolled here yet.";
    return h("div", { class: "empty" }, icon("person"), h("p", { text: words }));
  }
}

function subjectTable(items) {
  const rows = items.map((subject) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { class: "subject-link", href: `#/gallery/${encodeURIComponent(subject.gallery)}/${encodeURIComponent(subject.subject_id)}`, text: subject.subject_id })),
      h("td", { text: subject.name ?? "" }),
      h("td", { class: "number", text: String(subject.faces) }),
      h("td", { class: "when", text: moment(subject.updated_at) }),
    ),
  );
  const head = h("tr", {}, h("th", { scope: "col", text: "Subject id" }), h("th", { scope: "col", text: "Name" }), h("th", { scope: "col", class: "number", text: "Faces" }), h("th", { scope: "col", class: "when", text: "Changed" }));
  return h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
}
