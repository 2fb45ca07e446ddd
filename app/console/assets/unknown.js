// A face that the gallery does not know, enrolled with one click: the part of the picture around it is sent.

import { enroll } from "./api.js";
import { field, fill, h, toast } from "./dom.js";
import { cutOut } from "./faces.js";
import { problemView, rejected } from "./problem.js";

/** An id that nobody has: the day, and some letters. */
export function freshId(now = new Date()) {
  const letters = crypto
    .getRandomValues(new Uint8Array(3))
    .reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
  return `person-${now.toISOString().slice(0, 10)}-${letters}`;
}

/** The form below the unknown one of `faces` at `index`; `again(revision)` is called once it is enrolled. */
export function enrolUnknown({ faces, index, picture, gallery, again }) {
  const id = h("input", { value: freshId(), required: true, maxlength: 128, spellcheck: "false", autocomplete: "off" });
  const name = h("input", { maxlength: 256, autocomplete: "off" });
  const said = h("div", { "aria-live": "polite" });
  const button = h("button", {
    type: "submit",
    class: "primary slim",
    text: `Enrol face ${index + 1}`,
    disabled: !picture.image,
  });
  const form = h(
    "form",
    { class: "enrol wide", on: { submit: store } },
    h("div", { class: "fields" }, field("Subject id", id), field("Name (may be empty)", name)),
    h("div", { class: "buttons" }, button),
    said,
  );

  async function store(event) {
    event.preventDefault();
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    try {
      const others = faces.filter((_, other) => other !== index);
      const image = await cutOut(
        picture.image,
        faces[index].box,
        others.map((face) => face.box),
      );
      const answer = await enroll({
        subject_id: id.value,
        name: name.value,
        gallery,
        image,
        on_several_faces: "largest",
      });
      const [row] = answer.faces;
      if (row.status === "rejected") throw new Error(rejected(row));
      toast(`${name.value || id.value} is enrolled in ${gallery}.`);
      again(answer.revision);
    } catch (error) {
      fill(said, problemView(error));
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }
  return form;
}
