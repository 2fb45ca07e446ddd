// Photographs of one subject, sent in parts that the service takes at once, with what became of each.

import { enroll } from "./api.js";
import { bearerOf, bearerView } from "./bearer.js";
import { open } from "./dialog.js";
import { field, fill, h, icon, select, toast } from "./dom.js";
import { notesOf, reportView } from "./enrolment-report.js";
import { counted } from "./format.js";
import { chooser, imageOf, imagesOf } from "./picture.js";
import { takePicture, cameraAllowed } from "./camera.js";
import { problemView } from "./problem.js";
import { freshId } from "./unknown.js";

const AT_ONCE = 5;

/**
 * A dialog that enrols photographs; resolves to {subjectId} once something was stored and it was closed, else null.
 *
 * Without `subjectId` it asks for one, and for a name and metadata; that somebody has it already is told first.
 */
export function enrolSubject({ gallery, subjectId = null }) {
  return open(
    subjectId ? `Add photographs of ${subjectId}` : "Add a subject",
    (close) => new EnrolmentForm(gallery, subjectId, close).element,
  );
}

class EnrolmentForm {
  constructor(gallery, subjectId, close) {
    this.gallery = gallery;
    this.subjectId = subjectId;
    this.files = []; // still to be sent
    this.sent = 0; // of one enrolment, which goes on where a part of it failed
    this.notes = []; // what became of those that are not simply stored
    this.stored = 0; // while the dialog is open
    this.sending = false;
    this.there = null; // a subject id of which somebody was told that it is in use
    this.close = close;
    this.id = h("input", {
      value: subjectId ?? freshId(),
      required: true,
      maxlength: 128,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.name = h("input", { maxlength: 256, autocomplete: "off" });
    this.metadata = h("textarea", { spellcheck: "false", placeholder: '{"floor": 3}' });
    this.several = select(
      [
        ["reject", "Turn the picture down"],
        ["largest", "Take the largest face"],
      ],
      "reject",
    );
    this.duplicate = select(
      [
        ["report", "Store it and say so"],
        ["reject", "Store nothing"],
        ["allow", "Do not look"],
      ],
      "report",
    );
    this.chosen = h("ul", { class: "chosen", "aria-label": "Chosen photographs" });
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Photographs sent" });
    this.said = h("div", { class: "stack", "aria-live": "polite" });
    this.submit = h("button", { type: "submit", class: "primary", text: "Enrol", disabled: true });
    this.cancel = h("button", { type: "button", text: "Cancel", on: { click: () => this.#done() } });
    this.element = this.#form();
  }

  #form() {
    const take = async () => this.#add([await takePicture()]);
    const pictures = h(
      "div",
      { class: "field" },
      h("span", { class: "label", text: "Photographs" }),
      h(
        "div",
        { class: "buttons" },
        chooser("Choose", (files) => this.#add(files), { multiple: true, label: "Choose photographs" }),
        cameraAllowed()
          ? h("button", { type: "button", on: { click: take } }, icon("camera"), "Camera")
          : null,
      ),
      h("p", {
        class: "hint",
        text: "Several are better than one: other light, other days. Drop or paste them here too.",
      }),
      this.chosen,
    );
    const form = h(
      "form",
      {
        method: "dialog",
        on: { submit: (event) => this.#send(event), paste: (event) => this.#add([imageOf(event.clipboardData)]) },
      },
      this.subjectId
        ? null
        : [
            field("Subject id", this.id, "What your own records call this person"),
            field("Name (may be empty)", this.name),
          ],
      pictures,
      h(
        "details",
        {},
        h("summary", { text: "More" }),
        h(
          "div",
          { class: "stack" },
          this.subjectId ? null : field("Metadata, a JSON object (may be empty)", this.metadata),
          field("Where there are several faces", this.several),
          field("Where the face is another subject's", this.duplicate),
        ),
      ),
      this.progress,
      this.said,
      h("div", { class: "buttons end" }, this.cancel, this.submit),
    );
    form.addEventListener("dragover", (event) => event.preventDefault());
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#add(imagesOf(event.dataTransfer));
    });
    return form;
  }

  #add(files) {
    this.files.push(...files.filter(Boolean));
    this.#showFiles();
  }

  #showFiles() {
    this.submit.disabled = this.sending || this.files.length === 0;
    fill(
      this.chosen,
      this.files.map((file) => this.#thumb(file)),
    );
  }

  #thumb(file) {
    const image = h("img", { class: "thumb", alt: file.name });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    image.src = URL.createObjectURL(file);
    const leave = () => {
      this.files = this.files.filter((other) => other !== file);
      this.#showFiles();
    };
    return h(
      "li",
      {},
      image,
      h("button", { type: "button", "aria-label": `Leave out ${file.name}`, on: { click: leave } }, icon("cross")),
    );
  }

  #fields() {
    const isNew = this.id.value !== this.there;
    return {
      subject_id: this.id.value,
      gallery: this.gallery,
      name: isNew ? this.name.value : null,
      metadata: (isNew && this.metadata.value.trim()) || null,
      on_several_faces: this.several.value,
      on_duplicate: this.duplicate.value,
    };
  }

  async #send(event) {
    event.preventDefault();
    this.#busy(true);
    fill(this.said);
    try {
      if (await this.#isNews()) return;
      await this.#sendFiles();
      this.#finish();
    } catch (error) {
      if (this.sent) this.#report(); // it is done, whatever became of the rest
      this.said.append(problemView(error));
    } finally {
      this.#busy(false);
      this.#showFiles();
    }
  }

  /** Whether somebody has this id, which is told once. */
  async #isNews() {
    if (this.subjectId || this.stored || this.there === this.id.value) return false;
    const bearer = await bearerOf(this.gallery, this.id.value);
    this.there = bearer?.subject_id ?? null;
    if (bearer) this.said.append(bearerView(bearer));
    return bearer !== null;
  }

  #busy(sending) {
    this.sending = sending;
    this.submit.disabled = sending;
    this.id.readOnly = sending || this.stored > 0; // the rest goes where the first ones went
    this.progress.hidden = !sending || this.files.length <= AT_ONCE;
    sending ? this.submit.setAttribute("aria-busy", "true") : this.submit.removeAttribute("aria-busy");
  }

  /** Part after part; where one fails, it and those after it remain to be sent. */
  async #sendFiles() {
    while (this.files.length) {
      this.progress.max = this.sent + this.files.length;
      this.progress.value = this.sent;
      const part = this.files.slice(0, AT_ONCE);
      this.#read(await this.#part(part));
      this.sent += part.length;
      this.files = this.files.filter((file) => !part.includes(file));
    }
  }

  #finish() {
    if (!this.notes.length) return this.#done();
    this.#report();
    this.cancel.focus();
    this.sent = 0;
    this.notes = [];
    return undefined;
  }

  /** One request; photographs that are all turned down are an answer here, as each of them may be. */
  async #part(images) {
    try {
      return await enroll({ ...this.#fields(), image: images });
    } catch (error) {
      const rows = error.document?.images;
      if (!rows) throw error;
      return { faces: rows.map((row) => ({ ...row, status: "rejected" })), duplicates: [] };
    }
  }

  #read(answer) {
    this.stored += answer.faces.filter((row) => row.status === "enrolled").length;
    this.notes.push(...notesOf(answer, this.sent));
  }

  #report() {
    fill(this.said, reportView(this.stored, this.notes));
    this.cancel.textContent = "Close";
  }

  #done() {
    if (this.stored) toast(`${counted(this.stored, "photograph")} of ${this.id.value} stored in ${this.gallery}.`);
    this.close(this.stored ? { subjectId: this.id.value } : null);
  }
}
