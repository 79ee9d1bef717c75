// Light or dark: as the system has it, until a person chooses here. `early.js` has set it before the first paint.

const KEPT = "iflow2api.theme";
const page = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

/** Change with the system for as long as nobody has chosen. */
export function followSystem() {
  system.addEventListener("change", () => {
    if (!localStorage.getItem(KEPT)) page.dataset.theme = system.matches ? "dark" : "light";
  });
}

export function toggleTheme() {
  page.dataset.theme = page.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem(KEPT, page.dataset.theme);
}
