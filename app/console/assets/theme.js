// Light or dark: what the system says, until the button chooses.

import { fill, icon } from "./dom.js";

const NAME = "sameface.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

function show(button) {
  fill(button, icon(isDark() ? "sun" : "moon"));
  button.setAttribute("aria-label", isDark() ? "Change to light colours" : "Change to dark colours");
}

/** Make the button change the theme; where the choice is the system's own, nothing is kept. */
export function installTheme(button) {
  const choose = () => {
    const wanted = isDark() ? "light" : "dark";
    const needed = (wanted === "dark") !== system.matches;
    needed ? (document.documentElement.dataset.theme = wanted) : delete document.documentElement.dataset.theme;
    try {
      needed ? localStorage.setItem(NAME, wanted) : localStorage.removeItem(NAME);
    } catch {
      // Then the choice lasts until the page is left.
    }
    show(button);
  };
  button.addEventListener("click", choose);
  system.addEventListener("change", () => show(button));
  show(button);
}
