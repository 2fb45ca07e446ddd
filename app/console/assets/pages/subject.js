// One subject: name, metadata, end, faces; everything of it can be changed and erased.

import { changeSubject, eraseFace, eraseSubject, facesOf, model, subject as read, verifySubject } from "../api.js";
import { confirm } from "../dialog.js";
import { field, fill, h, toast } from "../dom.js";
import { enrolSubject } from "../enrolment.js";
import { counted, moment } from "../format.js";
import { chooser } from "../picture.js";
import { problemView } from "../problem.js";
import { storedCrop } from "../stored_crop.js";
import { decisionView, numbers } from "./verify.js";

export async function subjectPage(place, { gallery, subjectId, signal }) {
  const list = `#/gallery/${encodeURIComponent(gallery)}`;
  const trail = h(
    "nav",
    { class: "trail", "aria-label": "Where you are" },
    h("a", { href: "#/gallery", text: "Gallery" }),
    "/",
    h("a", { href: list, text: gallery }),
    "/",
    h("span", { text: subjectId }),
  );
  place.append(trail);
  const found = await read(gallery, subjectId);
  if (signal.aborted) return;
  const faces = h("section", { class: "card stack", "aria-label": "Faces" });
  const page = { gallery, subjectId, found, faces, list };
  const title = h("h1", { text: found.name ?? subjectId });
  fill(
    place,
    trail,
    h(
      "div",
      { class: "heading" },
      h(
        "div",
        {},
        title,
        h("p", { class: "lead" }, h("code", { text: subjectId }), ` · enrolled ${moment(found.created_at)}`),
      ),
      h(
        "div",
        { class: "buttons" },
        h("button", {
          type: "button",
          class: "primary",
          text: "Add photographs",
          on: { click: () => addPhotographs(page) },
        }),
        h("button", { type: "button", class: "danger", text: "Erase subject", on: { click: () => erase(page) } }),
      ),
    ),
    h("div", { class: "columns" }, details(page, title), comparison(page)),
    faces,
  );
  await showFaces(page);
}

function localTime(iso) {
  if (!iso) return "";
  const time = new Date(iso);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function details({ gallery, subjectId, found }, title) {
  const name = h("input", { value: found.name ?? "", maxlength: 256, autocomplete: "off" });
  const metadata = h("textarea", { spellcheck: "false", value: JSON.stringify(found.metadata, null, 1) });
  const expires = h("input", { type: "datetime-local", value: localTime(found.expires_at) });
  const saved = new Map([name, metadata, expires].map((control) => [control, control.value]));
  const said = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "submit", class: "primary", text: "Save" });

  async function save(event) {
    event.preventDefault();
    metadata.removeAttribute("aria-invalid");
    button.setAttribute("aria-busy", "true");
    try {
      // Only what was touched: the rest may have changed meanwhile, and numbers and seconds do not all survive a form.
      const changes = {};
      const sent = new Map([...saved.keys()].map((control) => [control, control.value]));
      const touched = (control) => sent.get(control) !== saved.get(control);
      if (touched(name)) changes.name = name.value.trim() || null;
      if (touched(metadata)) changes.metadata = parsed(metadata);
      if (touched(expires)) changes.expires_at = expires.value ? new Date(expires.value).toISOString() : null;
      if (Object.keys(changes).length) {
        const changed = await changeSubject(gallery, subjectId, changes);
        title.textContent = changed.name ?? subjectId;
      }
      for (const [control, value] of sent) saved.set(control, value); // what was typed meanwhile is not saved yet
      fill(said);
      toast("Saved.");
    } catch (error) {
      fill(said, problemView(error));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  return h(
    "section",
    { class: "card", "aria-label": "Details" },
    h("h2", { text: "Details" }),
    h(
      "form",
      { class: "stack", on: { submit: save } },
      field("Name", name),
      field("Metadata, a JSON object", metadata),
      field("Erase at", expires, "Empty: never"),
      said,
      h("div", { class: "buttons" }, button),
    ),
  );
}

/** Metadata as an object; raises an Error that says where it is not JSON. */
function parsed(control) {
  try {
    const value = JSON.parse(control.value.trim() || "{}");
    if (value === null || typeof value !== "object" || Array.isArray(value))
      throw new Error("it has to be an object in braces");
    return value;
  } catch (error) {
    control.setAttribute("aria-invalid", "true");
    control.focus();
    throw new Error(`Metadata is not a JSON object: ${error.message}`, { cause: error });
  }
}

function comparison({ gallery, subjectId }) {
  const said = h("div", { class: "stack", "aria-live": "polite" });
  const compare = async ([image]) => {
    if (!image) return;
    fill(said, h("p", { class: "muted", text: "Comparing…" }));
    try {
      const answer = await verifySubject(gallery, subjectId, { image });
      fill(
        said,
        decisionView(answer, "The photograph shows this subject"),
        numbers(answer, (await model()).calibration.curve),
      );
    } catch (error) {
      fill(said, problemView(error));
    }
  };
  return h(
    "section",
    { class: "card stack", "aria-label": "Compare" },
    h("h2", { text: "Is this the subject?" }),
    h("p", { class: "muted", text: "Compare a photograph with the faces of this subject. Nothing is stored." }),
    h("div", { class: "buttons" }, chooser("Choose a photograph", compare)),
    said,
  );
}

async function showFaces(page) {
  const { items } = await facesOf(page.gallery, page.subjectId);
  const tiles = items.map((face, index) => {
    const words = `Face ${index + 1}`;
    const button = h("button", {
      type: "button",
      class: "danger slim",
      text: "Erase",
      "aria-label": `Erase ${words.toLowerCase()}`,
      on: { click: () => eraseOne(page, face, words) },
    });
    return h(
      "li",
      { class: "face-tile" },
      storedCrop(page.gallery, face.face_id, words, { kept: face.crop_kept }),
      h("span", { class: "small muted", text: moment(face.created_at) }),
      button,
    );
  });
  fill(
    page.faces,
    h("h2", { text: counted(items.length, "face") }),
    items.length
      ? h("ul", { class: "face-tiles" }, tiles)
      : h("p", { class: "muted", text: "Without a face this subject is found by no identification." }),
  );
}

async function addPhotographs(page) {
  if (await enrolSubject({ gallery: page.gallery, subjectId: page.subjectId })) await showFaces(page);
}

async function eraseOne(page, face, words) {
  const wanted = await confirm({
    title: `Erase ${words.toLowerCase()}?`,
    words: "It will be found no more, and cannot be brought back.",
    action: "Erase face",
  });
  if (!wanted) return;
  try {
    await eraseFace(page.gallery, face.face_id);
    toast(`${words} is erased.`);
    await showFaces(page);
  } catch (error) {
    page.faces.append(problemView(error));
  }
}

async function erase(page) {
  const words = `${page.subjectId} will be erased with all faces. This cannot be undone.`;
  if (!(await confirm({ title: "Erase this subject?", words, action: "Erase subject" }))) return;
  try {
    const { erased } = await eraseSubject(page.gallery, page.subjectId);
    toast(`${page.subjectId} is erased, with ${counted(erased.faces, "face")}.`);
    location.hash = page.list;
  } catch (error) {
    page.faces.append(problemView(error));
  }
}
