// Who bears a subject id that somebody chose for a new one.

import { subjects } from "./api.js";
import { h } from "./dom.js";
import { counted } from "./format.js";

/** The subject of this id, or null where it is free. */
export async function bearerOf(gallery, id) {
  // Of all ids that begin so, the very one is the first.
  const [found] = (await subjects({ gallery, prefix: id, limit: 1 })).items;
  return found?.subject_id === id ? found : null;
}

/** What is told before anything is added to them. */
export function bearerView({ subject_id: id, gallery, name, faces }) {
  const who = name ? `${id} (${name})` : id;
  const there = `${who} is in ${gallery} already, with ${counted(faces, "face")}.`;
  const next = "Press Enrol again to add to them; their name and metadata stay. Or choose another id.";
  return h("p", { role: "alert", text: `${there} ${next}` });
}
