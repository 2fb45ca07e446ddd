// Runs before the page is painted, so that a chosen theme does not flash in after the other one.
try {
  const chosen = localStorage.getItem("sameface.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system's theme.
}
