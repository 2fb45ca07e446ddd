// Which gallery: a list to choose from, or a name to type where the key may not list them.

import { galleries, Problem } from "./api.js";
import { field, h, select } from "./dom.js";
import { counted } from "./format.js";

const PAGE = 1000;

/** All galleries by name; null where this key may not see the list. */
export async function allGalleries() {
  const found = [];
  let cursor = null;
  try {
    do {
      const page = await galleries({ limit: PAGE, cursor });
      found.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
  } catch (error) {
    if (error instanceof Problem && error.code === "forbidden") return null;
    throw error;
  }
  return found;
}

/** A field that chooses a gallery; `onChange` gets its name. */
export function galleryField(found, chosen, onChange) {
  if (found === null) {
    const input = h("input", { value: chosen, spellcheck: "false", autocomplete: "off" });
    input.addEventListener("change", () => onChange(input.value.trim() || "default"));
    return field("Gallery", input, "This key may not list galleries; type a name");
  }
  const options = found.map(({ name, subjects }) => [name, `${name} (${counted(subjects, "subject")})`]);
  if (!found.some(({ name }) => name === chosen)) options.unshift([chosen, chosen]);
  return field("Gallery", select(options, chosen, onChange));
}
