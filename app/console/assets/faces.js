// Faces in a picture: boxes and landmarks over it, and a face cut out of it.

import { h } from "./dom.js";

const AROUND = 0.45; // of the box, on each side: the detector finds the face again
const THUMB_PX = 144;

/**
 * Boxes over an image whose size is `width` x `height` pixels of the upright photograph.
 *
 * `faces` are {box, landmarks, label, look}; `look` is a class such as match, apart or unknown.
 */
export function overlay(faces, width, height, shownWidth) {
  const unit = width / shownWidth; // photograph pixels per pixel of the screen
  const marks = faces.flatMap((face) => outline(face, unit, width));
  return h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, marks);
}

function outline({ box, landmarks = [], label = null, look = "" }, unit, width) {
  const frame = {
    x: box.left,
    y: box.top,
    width: box.right - box.left,
    height: box.bottom - box.top,
    rx: 6 * unit,
    "vector-effect": "non-scaling-stroke",
  };
  return [
    h("rect", { ...frame, class: "face-under" }),
    h("rect", { ...frame, class: `face-box ${look}` }),
    landmarks.map(([x, y]) =>
      h("circle", { cx: x, cy: y, r: 3 * unit, class: "landmark", "vector-effect": "non-scaling-stroke" }),
    ),
    label ? nameTag(label, box, unit, width) : null,
  ];
}

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(label) {
  ruler.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(label).width;
}

function nameTag(label, box, unit, width) {
  const wide = (widthOf(label) + 14) * unit;
  const tall = 22 * unit;
  const left = Math.max(0, Math.min(box.left, width - wide));
  const top = box.top - tall - 4 * unit > 0 ? box.top - tall - 4 * unit : box.bottom + 4 * unit;
  const text = h("text", { x: 0, y: 0, class: "face-label", text: label });
  text.setAttribute("transform", `translate(${left + 7 * unit} ${top + tall * 0.7}) scale(${unit})`);
  return [h("rect", { x: left, y: top, width: wide, height: tall, rx: 4 * unit, class: "face-label-back" }), text];
}

function margins(box, width, height, around) {
  const more = around * Math.max(box.right - box.left, box.bottom - box.top);
  const left = Math.max(0, Math.floor(box.left - more));
  const top = Math.max(0, Math.floor(box.top - more));
  return {
    left,
    top,
    width: Math.min(width, Math.ceil(box.right + more)) - left,
    height: Math.min(height, Math.ceil(box.bottom + more)) - top,
  };
}

/** A square thumbnail of a face, a canvas element named for screen readers. */
export function thumbnail(image, box, words) {
  const side = Math.max(box.right - box.left, box.bottom - box.top) * 1.3;
  const canvas = h("canvas", { class: "thumb", width: THUMB_PX, height: THUMB_PX, role: "img", "aria-label": words });
  const centre = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  canvas
    .getContext("2d")
    .drawImage(image, centre[0] - side / 2, centre[1] - side / 2, side, side, 0, 0, THUMB_PX, THUMB_PX);
  return canvas;
}

/** The part of an image around a face as a JPEG file: what is enrolled when one face of many is chosen. */
export function cutOut(image, box, around = AROUND) {
  const part = margins(box, image.naturalWidth, image.naturalHeight, around);
  const canvas = h("canvas", { width: part.width, height: part.height });
  canvas.getContext("2d").drawImage(image, part.left, part.top, part.width, part.height, 0, 0, part.width, part.height);
  return new Promise((resolve, reject) => {
    const done = (blob) =>
      blob
        ? resolve(new File([blob], "face.jpg", { type: "image/jpeg" }))
        : reject(new Error("the face could not be cut out"));
    canvas.toBlob(done, "image/jpeg", 0.95);
  });
}
