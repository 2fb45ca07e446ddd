// The subjects of a gallery, page by page.

import { Problem, subjects } from "./api.js";
import { field, fill, h, icon, select } from "./dom.js";
import { counted, moment } from "./format.js";
import { problemView } from "./problem.js";

const TYPING_MS = 250;

/** The subjects of a gallery in pages, narrowed by what their ids begin with. */
export class SubjectList {
  constructor(gallery, signal) {
    this.gallery = gallery;
    this.cursors = [null]; // of the pages up to this one
    this.signal = signal;
    this.under = new AbortController();
    signal.addEventListener("abort", () => this.under.abort());
    this.prefix = h("input", { type: "search", spellcheck: "false", autocomplete: "off", maxlength: 128 });
    this.prefix.addEventListener("input", () => this.#typed());
    this.limit = select(
      [
        ["10", "10"],
        ["25", "25"],
        ["100", "100"],
      ],
      "25",
      () => this.#from(null),
    );
    this.previous = h("button", {
      type: "button",
      text: "Previous",
      disabled: true,
      on: { click: () => this.#back() },
    });
    this.next = h("button", { type: "button", text: "Next", disabled: true, on: { click: () => this.#forward() } });
    this.rows = h("div", { "aria-live": "polite" });
    this.where = h("p", { class: "muted small" });
    this.element = h(
      "section",
      { class: "card stack", "aria-label": "Subjects" },
      h(
        "div",
        { class: "fields" },
        field("Search by the beginning of the subject id", this.prefix),
        h("div", { class: "fixed" }, field("Rows", this.limit)),
      ),
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
      const query = {
        gallery: this.gallery,
        prefix: this.prefix.value,
        limit: this.limit.value,
        cursor: this.cursors.at(-1),
      };
      this.#show(await subjects(query, mine.signal));
    } catch (error) {
      if (mine.signal.aborted) return;
      fill(
        this.rows,
        error instanceof Problem && error.code === "gallery_not_found" ? this.#nothing(true) : problemView(error),
      );
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
      ? `There is no gallery ${this.gallery}. The button New gallery makes one.`
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
      h(
        "th",
        { scope: "row" },
        h("a", {
          class: "subject-link",
          href: `#/gallery/${encodeURIComponent(subject.gallery)}/${encodeURIComponent(subject.subject_id)}`,
          text: subject.subject_id,
        }),
      ),
      h("td", { text: subject.name ?? "" }),
      h("td", { class: "number", text: String(subject.faces) }),
      h("td", { class: "when", text: moment(subject.updated_at) }),
    ),
  );
  const head = h(
    "tr",
    {},
    h("th", { scope: "col", text: "Subject id" }),
    h("th", { scope: "col", text: "Name" }),
    h("th", { scope: "col", class: "number", text: "Faces" }),
    h("th", { scope: "col", class: "when", text: "Changed" }),
  );
  return h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
}
