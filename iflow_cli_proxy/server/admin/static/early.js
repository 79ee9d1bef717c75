// Before the first paint: the theme and language that were chosen here before, so that nothing flashes.
// The only script that is no module, because modules run after the page has been drawn.
"use strict";
{
  const theme = localStorage.getItem("iflow2api.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const chosen = localStorage.getItem("iflow2api.language") ?? navigator.language;
  document.documentElement.lang = chosen.toLowerCase().startsWith("zh") ? "zh-Hans" : "en";
}
