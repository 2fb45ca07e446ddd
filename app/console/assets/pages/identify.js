// Who is in this photograph?

import { identify } from "../api.js";
import { field, fill, h, select, show } from "../dom.js";
import { thumbnail } from "../faces.js";
import { counted, distance, percent } from "../format.js";
import { allGalleries, galleryField } from "../galleries.js";
import { pasteInto, Picture } from "../picture.js";
import { problemView } from "../problem.js";
import { qualityTable, verdict } from "../quality.js";
import { storedCrop } from "../stored_crop.js";
import { tookView } from "../took.js";
import { enrolUnknown } from "../unknown.js";

const FPIRS = [
  ["", "As configured"],
  ["0.1", "10 %"],
  ["0.01", "1 %"],
  ["0.001", "0.1 %"],
];

export async function identifyPage(place, { signal }) {
  const state = { gallery: sessionStorage.getItem("sameface.gallery") ?? "default" };
  const found = await allGalleries();
  const picture = new Picture("Photograph", look, { wide: true, signal });
  const results = h("section", { class: "results", "aria-live": "polite", "aria-label": "Faces found" });
  const button = h("button", { type: "button", class: "primary", disabled: true, on: { click: look } }, "Identify");
  const fpir = select(FPIRS, "", again);
  const most = select(
    [
      ["0", "All"],
      ["1", "The largest"],
    ],
    "0",
    again,
  );
  let under = new AbortController();
  signal.addEventListener("abort", () => under.abort());

  function again() {
    if (picture.file) look();
  }

  async function look(_, minRevision = null) {
    under.abort();
    under = new AbortController();
    const mine = under;
    picture.mark([]);
    button.disabled = !picture.file;
    if (minRevision === null) fill(results);
    if (!picture.file) return;
    button.setAttribute("aria-busy", "true");
    const started = performance.now();
    try {
      const fields = {
        image: picture.file,
        gallery: state.gallery,
        max_faces: most.value,
        fpir: fpir.value,
        min_revision: minRevision,
      };
      const answer = await identify(fields, mine.signal);
      picture.mark(answer.faces.map(marked));
      fill(
        results,
        resultView(answer, performance.now() - started, picture, (revision) => look(null, revision)),
      );
      if (minRevision === null) show(results);
    } catch (error) {
      if (!mine.signal.aborted) fill(results, problemView(error));
    } finally {
      if (mine === under) button.removeAttribute("aria-busy");
    }
  }

  pasteInto([picture], signal);
  fill(
    place,
    h(
      "div",
      {},
      h("h1", { text: "Identify" }),
      h("p", {
        class: "lead",
        text: "Who is in this photograph? Every face is searched; who is not known can be enrolled at once.",
      }),
    ),
    h(
      "section",
      { class: "card", "aria-label": "Where to search" },
      h(
        "div",
        { class: "fields" },
        galleryField(found, state.gallery, (name) => {
          state.gallery = name;
          sessionStorage.setItem("sameface.gallery", name);
          again();
        }),
        field("Chance that a stranger is named", fpir),
        field("Faces", most),
        h("div", { class: "field fixed" }, button),
      ),
    ),
    h("div", { class: "columns wide-left" }, picture.element, results),
  );
}

function nameOf(candidate) {
  return candidate.name ?? candidate.subject_id;
}

function marked(face) {
  const [best] = face.candidates;
  return best ? { ...face, label: nameOf(best), look: "match" } : { ...face, label: "unknown", look: "unknown" };
}

function resultView(answer, waitedMs, picture, again) {
  const { gallery, faces } = answer;
  const named = faces.filter((face) => face.candidates.length).length;
  const summary = faces.length
    ? `${counted(faces.length, "face")}, ${named} named, in a gallery of ${counted(gallery.subjects, "subject")}.`
    : "No face was found in this photograph.";
  const rows = faces.map((face, index) => faceRow(face, index, { answer, picture, again }));
  return [
    h(
      "div",
      { class: "card stack" },
      h("h2", { text: summary }),
      h("ol", { class: "faces-found" }, rows),
      h("p", { class: "small muted", text: risk(answer) }),
    ),
    h("div", { class: "card" }, h("h2", { text: "Time by stage" }), tookView(answer.took_ms, waitedMs)),
  ];
}

function risk({ threshold, fpir, calibrated }) {
  const chance =
    fpir === null
      ? "The calibration does not say how often a stranger is given a name at it."
      : `A stranger is given a name with a chance of ${percent(fpir)}.`;
  const caution = calibrated
    ? ""
    : " The rate that was wanted is lower than the calibration supports for a gallery of this size.";
  return `Threshold ${distance(threshold)} for a gallery of this size. ${chance}${caution}`;
}

function faceRow(face, index, { answer, picture, again }) {
  const title = `Face ${index + 1}`;
  const thumb = picture.image ? thumbnail(picture.image, face.box, title) : h("span");
  const known = face.candidates.length > 0;
  return h(
    "li",
    { class: "face-row" },
    thumb,
    h(
      "div",
      {},
      h(
        "div",
        { class: "heading" },
        h("h3", { text: known ? nameOf(face.candidates[0]) : title }),
        h("span", { class: known ? "tag good" : "tag warn", text: known ? "identified" : "unknown" }),
      ),
      known
        ? h(
            "ol",
            { class: "candidates", "aria-label": `Candidates for ${title.toLowerCase()}` },
            face.candidates.map((candidate) => candidateRow(candidate, answer.gallery.name)),
          )
        : null,
      known ? null : h("p", { class: "small muted", text: "Nobody in the gallery is below the threshold." }),
    ),
    known ? null : enrolUnknown({ faces: answer.faces, index, picture, gallery: answer.gallery.name, again }),
    h(
      "details",
      { class: "wide small" },
      h("summary", { text: "Quality" }),
      verdict(face),
      qualityTable([[title, face]]),
    ),
  );
}

function candidateRow(candidate, gallery) {
  const link = `#/gallery/${encodeURIComponent(gallery)}/${encodeURIComponent(candidate.subject_id)}`;
  return h(
    "li",
    {},
    storedCrop(gallery, candidate.face_id, `Stored face of ${nameOf(candidate)}`, { size: "small" }),
    h(
      "span",
      { class: "who" },
      h("a", { href: link, text: nameOf(candidate) }),
      candidate.name ? h("span", { class: "muted small id", text: candidate.subject_id }) : null,
    ),
    h("span", { class: "number small", title: "squared L2 distance", text: distance(candidate.distance) }),
  );
}
