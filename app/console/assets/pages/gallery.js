// Who is enrolled: galleries, their subjects in pages, and the way to one subject.

import { createGallery, dropGallery } from "../api.js";
import { confirm, open } from "../dialog.js";
import { field, fill, h, toast } from "../dom.js";
import { enrolSubject } from "../enrolment.js";
import { counted } from "../format.js";
import { allGalleries, galleryField } from "../galleries.js";
import { problemView } from "../problem.js";
import { SubjectList } from "../subject_list.js";
import { subjectPage } from "./subject.js";

const KEPT = "sameface.gallery";

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
      h(
        "div",
        {},
        h("h1", { text: "Gallery" }),
        h("p", { class: "lead", text: "Who is enrolled, and who is to be found by an identification." }),
      ),
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
          h("button", {
            type: "button",
            class: "danger",
            text: "Drop gallery",
            on: { click: () => drop(name, found, go) },
          }),
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
    const input = h("input", {
      required: true,
      maxlength: 64,
      pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*",
      autocomplete: "off",
      spellcheck: "false",
      autofocus: true,
    });
    const said = h("div", { "aria-live": "polite" });
    return h(
      "form",
      { method: "dialog", on: { submit: make } },
      field("Name", input, "Letters, digits, dot, underscore and hyphen; it begins with a letter or digit"),
      said,
      h(
        "div",
        { class: "buttons end" },
        h("button", { type: "button", text: "Cancel", on: { click: () => close(null) } }),
        h("button", { type: "submit", class: "primary", text: "Make gallery" }),
      ),
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
  const words = held
    ? `${counted(held.subjects, "subject")} with ${counted(held.faces, "face")} will be erased. This cannot be undone.`
    : "All its subjects and faces will be erased with it. This cannot be undone.";
  if (!(await confirm({ title: `Drop the gallery ${name}?`, words, action: "Drop gallery", typed: name }))) return;
  try {
    const { erased } = await dropGallery(name);
    toast(`${name} is gone, with ${counted(erased.subjects, "subject")} and ${counted(erased.faces, "face")}.`);
    const next = found?.find((gallery) => gallery.name !== name)?.name ?? "default";
    go(next);
    if (next === name) dispatchEvent(new HashChangeEvent("hashchange"));
  } catch (error) {
    await open("The gallery is still there", (close) =>
      h(
        "div",
        { class: "stack" },
        problemView(error),
        h(
          "div",
          { class: "buttons end" },
          h("button", { type: "button", text: "Close", autofocus: true, on: { click: () => close() } }),
        ),
      ),
    );
  }
}
