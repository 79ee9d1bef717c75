// What every page carries, before and after signing in: the mark, and buttons for language and theme.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { toggleTheme } from "./theme.js";
import { chooseLanguage, language, t } from "./words.js";

export const brand = () => h("img", { src: "/admin/static/icon.svg", alt: "", width: "26", height: "26" });

/** `mayRedraw` is asked first: another language draws everything anew. */
export function tastes(redraw, mayRedraw = () => true) {
  const speak = async () => {
    if (!(await mayRedraw())) return;
    await chooseLanguage(language() === "zh" ? "en" : "zh");
    redraw();
  };
  const label = t("Light or dark");
  const [name, tag] = language() === "zh" ? ["English", "en"] : ["中文", "zh-Hans"];
  return [
    h("button", { type: "button", class: "quiet small", lang: tag, onclick: speak, id: "language" }, name),
    h(
      "button",
      { type: "button", class: "quiet small", onclick: toggleTheme, "aria-label": label, title: label, id: "theme" },
      icon("sun"),
    ),
  ];
}
