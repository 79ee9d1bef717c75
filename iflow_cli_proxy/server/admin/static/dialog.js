// Windows over the page: the browser keeps the focus inside and gives it back; Escape closes.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

/** A dialog that hides everything under it, and that nobody puts away. */
export const CURTAIN = "curtain";

let count = 0;

/** Opens one with this heading and content; `whenClosed` is called once, however it ends. `kind`: "wide" or CURTAIN. */
export function openDialog(title, content, { whenClosed = () => {}, kind = null } = {}) {
  const id = `dialog-${++count}`;
  const close = h(
    "button",
    { type: "button", class: "quiet small", "aria-label": t("Close"), onclick: () => node.close() },
    icon("close"),
  );
  const head = h("header", {}, h("h2", { id, tabindex: "-1" }, title), kind !== CURTAIN && close);
  const closedby = kind === CURTAIN ? "none" : null;
  const node = h("dialog", { "aria-labelledby": id, class: kind, closedby }, head, h("div", { class: "content" }, content));
  node.addEventListener("close", () => {
    document.body.append(...node.querySelectorAll("#toasts")); // they outlive it
    node.remove();
    whenClosed();
  });
  document.body.append(node);
  node.showModal();
  (node.querySelector("[autofocus]") ?? node.querySelector("h2")).focus();
  return node;
}

/** Whether a window is open over the page. */
export const hasDialog = () => document.querySelector("dialog[open]") !== null;

/** Closes whatever is open, as when the view behind it goes. */
export function closeDialogs() {
  for (const node of document.querySelectorAll("dialog[open]")) node.close();
}

/** Ask before something that cannot be taken back; true when the person means it. */
export function confirm({ title, text, action, isDangerous = true }) {
  return new Promise((resolve) => {
    let answer = false;
    const say = (said) => () => {
      answer = said;
      node.close();
    };
    const buttons = h(
      "footer",
      { class: "row end" },
      h("button", { type: "button", class: "secondary", onclick: say(false), autofocus: true }, t("Cancel")),
      h("button", { type: "button", class: isDangerous ? "danger" : "primary", onclick: say(true) }, action),
    );
    const node = openDialog(title, [h("p", {}, text), buttons], { whenClosed: () => resolve(answer) });
  });
}
