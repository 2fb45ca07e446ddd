// The picture of an enrolled face, where the service keeps crops and this key may see them; a symbol otherwise.

import { crop } from "./api.js";
import { h, icon } from "./dom.js";

/** An element that shows the crop once it has come; `kept`: whether there is one, as far as is known. */
export function storedCrop(gallery, faceId, words, { size = "", kept = true } = {}) {
  const blank = h("span", { class: `thumb blank ${size}` }, icon("person"));
  if (!kept) return blank;
  crop(gallery, faceId).then((blob) => {
    if (!blob) return;
    const image = h("img", { class: `thumb ${size}`, alt: words });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    image.src = URL.createObjectURL(blob);
    blank.replaceWith(image);
  });
  return blank;
}
