// Which page is shown: the part of the address after #. Each page is a function that gets a place and the rest of it.

import { whenKeyIsNeeded, whenWorking } from "./api.js";
import { fill, h } from "./dom.js";
import { askForKey, showState } from "./key.js";
import { galleryPage } from "./pages/gallery.js";
import { identifyPage } from "./pages/identify.js";
import { modelPage } from "./pages/model.js";
import { statusPage } from "./pages/status.js";
import { verifyPage } from "./pages/verify.js";
import { problemView } from "./problem.js";
import { installTheme } from "./theme.js";

const PAGES = {
  verify: verifyPage,
  identify: identifyPage,
  gallery: galleryPage,
  model: modelPage,
  status: statusPage,
};
const SLOW_MS = 250;

// A file that misses its place would be opened by the browser, and the page would be gone.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  });
}

const main = document.getElementById("main");
let leave = null;

/** An address that somebody typed may hold a % that encodes nothing; then it stands for itself. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** "#/gallery/staff/a%2Fb" -> ["gallery", "staff", "a/b"] */
function parts() {
  return location.hash
    .replace(/^#\/?/, "")
    .split("/")
    .map(decoded)
    .filter((part) => part !== "");
}

/** Show the page of the address; a page is told by a signal when it is left. */
async function show(moved) {
  const [wanted, ...rest] = parts();
  const name = Object.hasOwn(PAGES, wanted) ? wanted : "verify";
  leave?.abort();
  leave = new AbortController();
  const { signal } = leave;
  for (const link of document.querySelectorAll(".tabs a")) {
    link.getAttribute("href") === `#/${name}`
      ? link.setAttribute("aria-current", "page")
      : link.removeAttribute("aria-current");
  }
  const place = h("div", { class: "page", "data-page": name });
  fill(main, place);
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · sameface`;
  if (moved) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  try {
    await PAGES[name](place, { rest, signal });
  } catch (error) {
    if (!signal.aborted) place.append(problemView(error));
  }
}

let slow = null;

function working(count) {
  const bar = document.getElementById("working");
  if (count > 0) slow ??= setTimeout(() => (bar.hidden = false), SLOW_MS);
  else {
    clearTimeout(slow);
    slow = null;
    bar.hidden = true;
  }
}

whenWorking(working);
whenKeyIsNeeded(askForKey);
installTheme(document.getElementById("theme-button"));
document.getElementById("key-button").addEventListener("click", async () => {
  if (await askForKey()) show(false);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names a page, not a place on it
  main.focus();
});
addEventListener("hashchange", () => show(true));
showState();
show(false);
