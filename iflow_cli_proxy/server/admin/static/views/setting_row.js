// One setting: its input by its type, where its value comes from, and the way back to the default.

import { h, replace } from "../dom.js";
import { field } from "../fields.js";
import { number } from "../format.js";
import { icon } from "../icons.js";
import { badge } from "../parts.js";
import { later, t } from "../words.js";
import { inputFor } from "./setting_input.js";

const ORIGINS = {
  default: later("default"),
  config: "config.toml",
  overrides: later("changed here"),
  environment: later("environment"),
  flag: later("flag"),
};

const LOCKS = {
  environment: later("An environment variable sets it; change it there."),
  flag: later("A flag of the command that started the gateway sets it."),
  terminal: later("Changed in a terminal: iflow2api config set {name}"),
};

/** A setting of that table. `change(name, value, isChanged)` hears every edit; a value that cannot be read is an Error. */
export function settingRow(leaf, table, change) {
  const short = leaf.name.startsWith(`${table}.`) ? leaf.name.slice(table.length + 1) : leaf.name;
  const made = inputFor(leaf);
  const told = field(short, made.input, { help: helpOf(leaf) });
  const edited = (value) => {
    const isChanged = value instanceof Error || JSON.stringify(value) !== JSON.stringify(leaf.value);
    told.wrong(value instanceof Error ? value.message : "");
    told.node.classList.toggle("dirty", isChanged);
    change(leaf.name, value, isChanged);
  };
  made.input.addEventListener("input", () => edited(made.read()));
  const { label, input, hint, mistake } = told;
  const under = leaf.locked ? lockedLine(leaf) : leaf.origin === "overrides" && resetButton(leaf, told, change);
  told.node.className = "setting";
  replace(told.node, h("div", {}, h("p", {}, label, badges(leaf)), hint), h("div", {}, input, under, mistake));
  told.node.dataset.words = `${leaf.name} ${leaf.help} ${t(leaf.help)}`.toLowerCase();
  told.node.dataset.name = leaf.name;
  return { node: told.node, wrong: told.wrong, focus: (how) => made.input.focus(how) };
}

function badges(leaf) {
  return [
    leaf.origin !== "default" && badge(
      leaf.origin === "overrides" ? "info" : "plain",
      t(ORIGINS[leaf.origin] ?? leaf.origin),
    ),
    leaf.needs_restart && badge("plain", t("needs a restart")),
  ];
}

function helpOf(leaf) {
  const hasRange = Number.isFinite(leaf.low) && Number.isFinite(leaf.high);
  const range = hasRange ? t("From {low} to {high}.", { low: number(leaf.low), high: number(leaf.high) }) : "";
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
  return h("p", { class: "soft locked" }, icon("lock"), t(LOCKS[leaf.locked], { name: leaf.name }));
}
