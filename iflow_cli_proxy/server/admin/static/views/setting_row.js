// One setting: its input by its type, where its value comes from, and the way back to the default.

import { h } from "../dom.js";
import { field } from "../fields.js";
import { number } from "../format.js";
import { icon } from "../icons.js";
import { badge } from "../parts.js";
import { later, t } from "../words.js";
import { inputFor } from "./setting_input.js";

const ORIGINS = { default: later("default"), config: "config.toml", overrides: later("changed here"), environment: later("environment"), flag: later("flag") };

/** `change(name, value, isChanged)` hears every edit; a value that cannot be read is an Error. */
export function settingRow(leaf, change) {
  const short = leaf.name.slice(leaf.name.indexOf(".") + 1);
  const made = inputFor(leaf);
  const told = field(short, made.input, { help: helpOf(leaf), className: "setting" });
  const edited = (value) => {
    const isChanged = value instanceof Error || JSON.stringify(value) !== JSON.stringify(leaf.value);
    told.wrong(value instanceof Error ? value.message : "");
    told.node.classList.toggle("dirty", isChanged);
    change(leaf.name, value, isChanged);
  };
  made.input.addEventListener("input", () => edited(made.read()));
  const label = told.node.querySelector("label");
  label.after(h("span", { class: "marks" }, badges(leaf)));
  if (leaf.origin === "overrides" && !leaf.locked) told.input.after(resetButton(leaf, told, change));
  if (leaf.locked) told.input.after(lockedLine(leaf));
  told.node.dataset.words = `${leaf.name} ${leaf.help} ${t(leaf.help)}`.toLowerCase();
  told.node.dataset.name = leaf.name;
  return { node: told.node, wrong: told.wrong, focus: () => made.input.focus() };
}

function badges(leaf) {
  return [
    leaf.origin !== "default" && badge(leaf.origin === "overrides" ? "info" : "plain", t(ORIGINS[leaf.origin] ?? leaf.origin)),
    leaf.needs_restart && badge("warn", t("needs a restart")),
  ];
}

function helpOf(leaf) {
  const range = leaf.low !== null && leaf.low !== undefined && leaf.high !== null && leaf.high !== undefined ? t("From {low} to {high}.", { low: number(leaf.low), high: number(leaf.high) }) : "";
  return [t(leaf.help), range].filter(Boolean).join(" ");
}

/** Taking a change back is a change too, saved with the others. */
function resetButton(leaf, told, change) {
  const act = () => {
    told.input.disabled = true;
    told.node.classList.add("dirty");
    button.replaceWith(h("span", { class: "soft" }, t("Back to its default when saved.")));
    change(leaf.name, null, true);
  };
  const button = h("button", { type: "button", class: "quiet small", onclick: act }, t("Back to the default"));
  return button;
}

function lockedLine(leaf) {
  const why = leaf.origin === "flag" ? t("A flag of the command that started the gateway sets it.") : t("An environment variable sets it; change it there.");
  return h("p", { class: "soft locked" }, icon("lock"), why);
}
