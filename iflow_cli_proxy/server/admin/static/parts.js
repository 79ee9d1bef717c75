// Small pieces that views share: badges, tiles, empty states, copying, headings.

import { h, prose, renew, replace } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./toast.js";
import { later, t } from "./words.js";

const SLOW_MS = 300;
const ICONS = { ok: "ok", wait: "clock", warn: "warn", bad: "bad", idle: "idle", info: "info" };

/** States of accounts and keys: how they look, and the word for them. */
const STATES = {
  ok: ["ok", later("Ready")],
  cooling: ["wait", later("Resting")],
  disabled: ["idle", later("Disabled")],
  needs_login: ["bad", later("Sign in again")],
  expired: ["bad", later("Expired")],
  expiring: ["warn", later("Expires soon")],
  revoked: ["idle", later("Revoked")],
  unreadable: ["bad", later("Unreadable")],
  invalid: ["bad", later("Invalid")],
  limited: ["warn", later("Limited")],
};

/** A word with a mark and a colour; the word alone says it all. */
export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, ICONS[kind] && icon(ICONS[kind]), text);
}

export function stateBadge(state) {
  const [kind, word] = STATES[state] ?? ["warn", state.replaceAll("_", " ")];
  return badge(kind, t(word));
}

/** A heading with what can be done beside it. */
export function heading(title, ...beside) {
  return h("header", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("div", { class: "row" }, beside));
}

/** One number with its name; `set(text, note)` changes it. */
export function tile(label) {
  const value = h("dd", {}, "–");
  const note = h("dd", { class: "soft" });
  const node = h("div", { class: "tile card" }, h("dt", {}, label), value, note);
  const set = (text, words = "") => {
    if (value.textContent !== text) value.textContent = text;
    if (note.textContent !== words) note.textContent = words;
  };
  return { node, set };
}

/** What stands where nothing is yet: a sentence and the next step. */
export function empty(text, ...steps) {
  return h("div", { class: "empty" }, h("p", {}, prose(text)), steps);
}

/** A pair of columns: names and what they are. Pairs without a value are left out. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, told.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A button that copies a text and says so. */
export function copyButton(text, label = t("Copy"), attributes = {}) {
  const words = h("span", {}, label);
  const act = async ({ currentTarget }) => {
    if (await copied(text, currentTarget)) {
      words.textContent = t("Copied");
      setTimeout(() => (words.textContent = label), 2000);
    } else toast(
      t("This browser does not let the page copy."),
      { kind: "warn", hint: t("Select the text and copy it by hand.") },
    );
  };
  return h("button", { type: "button", class: "secondary", onclick: act, ...attributes }, icon("copy"), words);
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text, button);
  }
}

/** By plain HTTP from another machine there is no clipboard to write to, but what is selected can be copied. */
function copiedBySelection(text, button) {
  const area = h("textarea", { class: "unseen", value: text, readOnly: true, "aria-hidden": "true" });
  button.after(area); // beside it: in a dialog, nothing outside can be selected
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  button.focus();
  return isDone;
}

/** Fill a place with what is fetched; while it comes and when it fails, that is said there. */
export async function fetched(place, fetching, draw) {
  place.setAttribute("aria-busy", "true");
  const loading = () => place.firstChild || replace(place, h("p", { class: "empty" }, t("Loading…")));
  const slow = setTimeout(loading, SLOW_MS);
  try {
    const answer = await fetching;
    clearTimeout(slow);
    renew(place, draw(answer));
  } catch (error) {
    if (error.name === "AbortError") return false; // the place is left, or another fetch is on its way to it
    replace(place, problem(error));
  } finally {
    clearTimeout(slow);
  }
  place.removeAttribute("aria-busy");
  return true;
}

/** Signals for what is asked again and again: each ends the one before, and all end with the view. */
export function newest(signal) {
  let last = new AbortController();
  return () => {
    last.abort();
    last = new AbortController();
    return AbortSignal.any([signal, last.signal]);
  };
}

export function problem(error) {
  const hint = error.hint ? h("p", { class: "soft" }, prose(error.hint)) : null;
  return h(
    "div",
    { class: "notice bad", role: "alert", "data-unreachable": error.kind === "unreachable" },
    icon("bad"),
    h("div", {}, h("p", {}, prose(error.message)), hint),
  );
}

export function notice(kind, ...content) {
  return h("div", { class: `notice ${kind}` }, icon(ICONS[kind]), h("div", {}, content));
}
