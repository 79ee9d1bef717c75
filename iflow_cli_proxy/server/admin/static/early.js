// Before the first paint: the theme and language that were chosen here before, so that nothing flashes.
// The only script that is no module, because modules run after the page has been drawn.
"use strict";
{
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = localStorage.getItem("iflow2api.theme");
  document.documentElement.dataset.theme = theme === "light" || theme === "dark" ? theme : system;
  const chosen = localStorage.getItem("iflow2api.language") ?? navigator.language;
  document.documentElement.lang = chosen.toLowerCase().startsWith("zh") ? "zh-Hans" : "en";
}
