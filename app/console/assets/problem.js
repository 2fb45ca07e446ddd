// An error as the facts of the service's problem document, and what can be done about it.

import { h } from "./dom.js";
import { fact, sentence, words } from "./format.js";

const ADVICE = {
  bad_request: "Change the field that is named and send it again.",
  unauthenticated: "Enter an API key with the button at the top right. `sameface keys create` makes one.",
  forbidden: "Use an API key that has this scope and reaches this gallery.",
  image_too_large: "Use a smaller file or fewer pixels; 1,000 pixels across a face is more than enough.",
  unsupported_format: "Use a JPEG, PNG, WebP, BMP or TIFF.",
  unreadable_image: "The file is damaged. Export or download it again.",
  no_face: "Use a picture in which a face can be seen: upright, lit from the front, not covered.",
  several_faces: "Crop the picture to one person, or let the largest face stand for it.",
  low_quality: "The reasons say what to change: a sharper, larger, better lit picture that faces the camera.",
  far_not_supported: "Choose a rate within the range that the calibration supports.",
  gallery_not_found: "The gallery was dropped or never made. Choose another one.",
  subject_not_found: "The subject was erased meanwhile. Go back to the list.",
  face_not_found: "The face was erased meanwhile. Load the list again.",
  duplicate_identity: "Check whether both are one person; allow duplicates in the enrolment if not.",
  rate_limited: "Wait a little and try again.",
  overloaded: "Wait a little and try again.",
  not_ready: "The service is starting, or its database is away. Try again shortly; the Status page says more.",
  deadline_exceeded: "Try again; repeating it is safe.",
  unreachable: "Check that the service is running and that this machine reaches it.",
  internal: "This is a fault of the service. Its log has the reason under the request id.",
};

const STANDARD = new Set(["type", "title", "status", "detail", "code", "request_id", "field", "images", "errors"]);

/** What to do about a code; null where nothing general can be said. */
export function advice(code) {
  return ADVICE[code] ?? null;
}

/** A problem document for people. */
export function problemView(problem) {
  const document = problem.document ?? {
    code: "page",
    title: "This page failed",
    detail: String(problem.message ?? problem),
  };
  const rows = Object.entries(document).filter(([name]) => !STANDARD.has(name));
  const list = [
    ...rows.map(([name, value]) => `${words(name)}: ${name === "reasons" ? words(fact(value)) : fact(value)}`),
    ...(document.errors ?? []).slice(1).map((error) => `${error.field}: ${error.message}`),
    ...(document.images ?? []).map(rejected),
  ];
  return h(
    "div",
    { class: "problem", "data-code": document.code },
    h("h3", { text: document.title || sentence(words(document.code)) }),
    h("p", { text: sentence(document.detail) + (document.field ? ` (${document.field})` : "") }),
    list.length
      ? h(
          "ul",
          { class: "facts" },
          list.map((text) => h("li", { text })),
        )
      : null,
    advice(document.code) ? h("p", { text: advice(document.code) }) : null,
    document.request_id
      ? h("p", { class: "small muted" }, "Request id ", h("code", { text: document.request_id }))
      : null,
  );
}

/** A row of an enrolment that was turned down, in words. */
export function rejected(row) {
  const reasons = (row.reasons ?? []).map(words).join(", ");
  return `picture ${row.image + 1}: ${row.detail || reasons}`;
}
