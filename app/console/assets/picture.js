// A place for one photograph: choose it, drop it, paste it or take it; boxes are drawn over it.

import { cameraAllowed, takePicture } from "./camera.js";
import { fill, h, icon, toast } from "./dom.js";
import { overlay } from "./faces.js";

const TYPES = "image/jpeg,image/png,image/webp,image/bmp,image/tiff";

/** The image files of a drop or a paste. */
export function imagesOf(transfer) {
  return [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));
}

/** The first of them. */
export function imageOf(transfer) {
  return imagesOf(transfer)[0] ?? null;
}

/** A hidden file input with a button that opens it; `onFiles` gets a list. */
export function chooser(words, onFiles, { multiple = false, label = words, primary = false } = {}) {
  const input = h("input", { type: "file", accept: TYPES, multiple, hidden: true });
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    input.value = "";
  });
  const button = h(
    "button",
    { type: "button", class: primary ? "primary" : null, "aria-label": label, on: { click: () => input.click() } },
    icon("picture"),
    words,
  );
  return [button, input];
}

/** A photograph of a page; `onChange` is called with the File, or null when it is taken away. */
export class Picture {
  constructor(title, onChange, { wide = false, signal } = {}) {
    this.file = null;
    this.image = null;
    this.faces = [];
    this.title = title;
    this.beside = []; // pictures that take what is dropped here beyond the first
    this.onChange = onChange;
    this.drop = h("div", { class: "drop" });
    this.tools = h("div", { class: "buttons" });
    this.element = h(
      "section",
      { class: wide ? "card picture wide" : "card picture", "aria-label": title },
      h("h2", {}, title, this.tools),
      this.drop,
    );
    this.element.addEventListener("dragover", (event) => this.#over(event, true));
    this.element.addEventListener("dragleave", (event) => this.#over(event, false));
    this.element.addEventListener("drop", (event) => this.#dropped(event));
    this.resized = new ResizeObserver(() => this.#draw());
    signal?.addEventListener("abort", () => this.#release());
    this.#show();
  }

  /** Take a file as the photograph; null for none. */
  async set(file) {
    this.#release();
    this.file = file;
    this.faces = [];
    const image = file ? await shownImage(file) : null;
    if (this.file !== file) return; // another one came meanwhile
    this.image = image;
    this.#show();
    this.onChange(file);
  }

  /** Draw these faces over the photograph; see faces.js for what they hold. */
  mark(faces) {
    this.faces = faces;
    this.#draw();
  }

  #release() {
    if (this.image) URL.revokeObjectURL(this.image.src);
    this.image = null;
  }

  #over(event, over) {
    event.preventDefault();
    this.drop.classList.toggle("over", over);
  }

  #dropped(event) {
    this.#over(event, false);
    const [file, ...more] = imagesOf(event.dataTransfer);
    if (!file) return toast("That is not a picture.");
    this.beside.slice(0, more.length).forEach((picture, at) => picture.set(more[at]));
    const left = more.length - this.beside.length;
    if (left > 0) toast(`Only ${this.beside.length + 1} of ${more.length + 1} pictures were taken.`);
    return this.set(file);
  }

  #show() {
    const focused = this.element.contains(document.activeElement);
    this.#fill();
    // What held the focus is gone; the next thing to press takes it.
    if (focused) this.element.querySelector("button")?.focus();
  }

  #fill() {
    this.drop.classList.toggle("filled", this.file !== null);
    fill(this.tools, this.file ? this.#removal() : null);
    if (!this.file) fill(this.drop, this.#invitation());
    else if (!this.image)
      fill(
        this.drop,
        h("p", {
          class: "invitation muted",
          text: `${this.file.name}: this browser cannot show it, but the service may read it.`,
        }),
      );
    else {
      this.seen = h("div", { class: "seen" }, this.image);
      this.resized.disconnect();
      this.resized.observe(this.image);
      fill(this.drop, this.seen);
    }
  }

  #removal() {
    return h(
      "button",
      {
        type: "button",
        class: "slim",
        "aria-label": `Remove ${this.title.toLowerCase()}`,
        on: { click: () => this.set(null) },
      },
      "Remove",
    );
  }

  #invitation() {
    const of = this.title.toLowerCase();
    const take = async () => {
      const file = await takePicture();
      if (file) await this.set(file);
    };
    return h(
      "div",
      { class: "invitation" },
      icon("person"),
      h("p", { class: "muted", text: "Drop a picture here, or paste one" }),
      h(
        "div",
        { class: "buttons" },
        chooser("Choose", ([file]) => file && this.set(file), { label: `Choose ${of}` }),
        cameraAllowed()
          ? h(
              "button",
              { type: "button", "aria-label": `Take ${of} with the camera`, on: { click: take } },
              icon("camera"),
              "Camera",
            )
          : null,
      ),
    );
  }

  #draw() {
    if (!this.image || !this.seen) return;
    this.seen.querySelector("svg")?.remove();
    const shown = this.image.clientWidth;
    if (this.faces.length && shown)
      this.seen.append(overlay(this.faces, this.image.naturalWidth, this.image.naturalHeight, shown));
  }
}

/** An <img> of a file, upright; null where the browser cannot show it. */
export async function shownImage(file) {
  const image = h("img", { alt: `Photograph ${file.name}` });
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return image;
  } catch {
    URL.revokeObjectURL(image.src);
    return null;
  }
}

/** Pasted pictures go to the one that holds the focus, else to the first empty one, else to the last. */
export function pasteInto(pictures, signal) {
  const paste = (event) => {
    const file = imageOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    const focused = pictures.find((picture) => picture.element.contains(document.activeElement));
    (focused ?? pictures.find((picture) => !picture.file) ?? pictures.at(-1)).set(file);
  };
  document.addEventListener("paste", paste, { signal });
}
