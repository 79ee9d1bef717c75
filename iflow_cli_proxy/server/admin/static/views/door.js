// What stands before the house: a card in the middle of the page, for set-up and sign-in.

import { h, replace } from "../dom.js";
import { brand, tastes } from "../tastes.js";
import { t } from "../words.js";

export function showDoor(page, redraw, title, ...content) {
  document.title = `${title} · iflow2api`;
  const top = h(
    "div",
    { class: "row spread" },
    h("span", { class: "brand" }, brand(), "iflow2api"),
    h("div", { class: "row tight" }, tastes(redraw)),
  );
  const main = h("main", { class: "door card", id: "main", tabindex: "-1" }, top, h("h1", {}, title), content);
  replace(page, h("div", { class: "porch" }, main, h("p", { class: "soft" }, t("The admin page of your gateway."))));
  main.querySelector("[autofocus]")?.focus();
}
