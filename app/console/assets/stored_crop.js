// The picture of an enrolled face, where the service keeps crops and this key may see them; a symbol otherwise.

import { crop } from "./api.js";
import { h, icon } from "./dom.js";

/** An element that shows the crop once it has come. */
export function storedCrop(gallery, faceId, words, size = "") {
  const blank = h("span", { class: `thumb blank ${size}` }, icon("person"));
  crop(gallery, faceId).then((blob) => {
    if (!blob) return;
    const image = h("img", { class: `thumb ${size}`, alt: words });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    image.src = URL.createObjectURL(blob);
    blank.replaceWith(image);
  });
  return blank;
}
