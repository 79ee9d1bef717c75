// Short messages at the edge of the page; a mistake says what to try next and stays until it is put away.

import { h, prose } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const SHOWN_MS = 6000;
const MOST = 4;

export function toast(text, { kind = "ok", hint = "" } = {}) {
  const room = roomOnTop();
  const close = h(
    "button",
    { class: "quiet small", "aria-label": t("Dismiss"), onclick: () => node.remove() },
    icon("close"),
  );
  const words = h("div", {}, h("p", {}, prose(text)), hint && h("p", { class: "soft" }, prose(hint)));
  const role = kind === "bad" ? "alert" : null;
  const node = h("div", { class: `toast ${kind}`, role }, icon(kind), words, close);
  while (room.children.length >= MOST) room.firstElementChild.remove();
  room.append(node);
  if (kind !== "bad") setTimeout(() => node.remove(), SHOWN_MS);
}

/** What stands outside of an open dialog can neither be read nor pressed, so the messages move into it. */
function roomOnTop() {
  const room = document.getElementById("toasts");
  const top = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (room.parentNode !== top) top.append(room);
  return room;
}

/** An error of the server as a toast; leaving a view is none. */
export function complain(error) {
  if (error.name === "AbortError" || error.status === 401) return;
  toast(error.message, { kind: "bad", hint: error.hint });
}

/**
 * Run it with the button busy, so that nothing is sent twice; what goes wrong is told. Returns what it returned.
 * The button is not `disabled`: that would take the focus from whoever is at it by keyboard.
 */
export async function busy(button, act) {
  if (button.getAttribute("aria-busy")) return undefined;
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  try {
    return await act();
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
  }
}

/** A small button beside a thing, whose name a screen reader hears with it. */
export function actButton(text, thing, act, kind = "secondary") {
  const onclick = ({ currentTarget }) => busy(currentTarget, act);
  return h("button", { type: "button", class: `${kind} small`, "aria-label": `${text}: ${thing}`, onclick }, text);
}
