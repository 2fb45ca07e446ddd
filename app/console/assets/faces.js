// Faces in a picture: boxes and landmarks over it, and a face cut out of it.

import { h } from "./dom.js";

const AROUND = 0.45; // of the box, on each side: the detector finds the face again
const THUMB_PX = 144;
const HIDDEN = "#808080"; // grey, in which the detector finds nothing

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

function rectangle({ left, top, right, bottom }) {
  return [left, top, right - left, bottom - top];
}

/** The part of an image around a face on a canvas, the boxes of the `others` grey where they do not cover the face. */
function partOf(image, box, others, around) {
  const part = margins(box, image.naturalWidth, image.naturalHeight, around);
  const canvas = h("canvas", { width: part.width, height: part.height });
  const context = canvas.getContext("2d");
  context.translate(-part.left, -part.top); // from here on in pixels of the photograph, as boxes are
  context.drawImage(image, 0, 0);
  context.fillStyle = HIDDEN;
  for (const other of others) context.fillRect(...rectangle(other));
  context.beginPath();
  context.rect(...rectangle(box));
  context.clip();
  context.drawImage(image, 0, 0);
  return canvas;
}

/**
 * The part of an image around a face as a JPEG file: what is enrolled when one face of many is chosen.
 *
 * `others` are the boxes of the other faces. They are hidden: a larger one that reaches into the part would be taken
 * for the face.
 */
export function cutOut(image, box, others = [], around = AROUND) {
  const canvas = partOf(image, box, others, around);
  return new Promise((resolve, reject) => {
    const done = (blob) =>
      blob
        ? resolve(new File([blob], "face.jpg", { type: "image/jpeg" }))
        : reject(new Error("the face could not be cut out"));
    canvas.toBlob(done, "image/jpeg", 0.95);
  });
}
