// Other names for models: a pattern on the left, the model it stands for on the right.

import { put } from "../api.js";
import { confirm } from "../dialog.js";
import { h, replace } from "../dom.js";
import { icon } from "../icons.js";
import { guard } from "../router.js";
import { busy, toast } from "../toast.js";
import { t } from "../words.js";

const AS_TYPED = { spellcheck: "false", autocomplete: "off" };

export function aliasEditor(aliases, models, signal) {
  const rows = h("div", { class: "stack tight" });
  const save = h("button", { class: "primary", type: "submit" }, t("Save aliases"));
  let saved = "";
  const add = (glob = "", model = "") => rows.append(aliasRow(glob, model));
  const fill = (all) => {
    replace(rows);
    for (const [glob, model] of Object.entries(all)) add(glob, model);
    saved = JSON.stringify(pairsOf(rows));
  };
  const more = () => {
    add();
    rows.lastElementChild.querySelector("input").focus();
  };
  const act = (event) => {
    event.preventDefault();
    if (!isWhole(rows)) return undefined;
    return busy(save, async () => {
      fill((await put("models/aliases", { aliases: Object.fromEntries(pairsOf(rows)) })).aliases);
      toast(t("The aliases are saved and in use."));
    });
  };
  fill(aliases);
  guard({ isHeld: () => JSON.stringify(pairsOf(rows)) !== saved, ask: () => confirm(leaving()) }, signal);
  return card(models, h("form", { onsubmit: act }, rows, buttons(more, save)));
}

const leaving = () => ({
  title: t("Leave without saving?"),
  text: t("What you have changed here is not saved yet."),
  action: t("Leave"),
});

function card(models, form) {
  const says = t("A request for the name on the left is answered by the model on the right. The left may be a glob.");
  return h(
    "section",
    { class: "card aliases", "aria-label": t("Aliases") },
    h("h2", { tabindex: "-1" }, t("Aliases")),
    h("p", { class: "soft" }, says),
    h("datalist", { id: "model-names" }, models.map((model) => h("option", { value: model.id }))),
    form,
  );
}

function buttons(more, save) {
  const add = h("button", { type: "button", class: "secondary", onclick: more }, icon("plus"), t("Add an alias"));
  return h("footer", { class: "row" }, add, save);
}

function aliasRow(glob, model) {
  const label = t("Remove the alias {name}", { name: glob });
  const remove = () => {
    const next = node.nextElementSibling ?? node.previousElementSibling;
    node.remove();
    (next?.querySelector("button") ?? document.querySelector(".aliases h2")).focus();
  };
  const input = (named) => h("input", { ...named, ...AS_TYPED, oninput: ({ target }) => target.removeAttribute("aria-invalid") });
  const node = h(
    "div",
    { class: "alias" },
    input({ name: "glob", value: glob, "aria-label": t("Name that is asked for"), placeholder: "gpt-*" }),
    h("span", { class: "soft", "aria-hidden": "true" }, "→"),
    input({ name: "model", value: model, list: "model-names", "aria-label": t("Model that answers") }),
    h("button", { type: "button", class: "quiet small", "aria-label": label, onclick: remove }, icon("close")),
  );
  return node;
}

/** Names and models as written; a row that is quite empty is none. */
function pairsOf(rows) {
  const pairs = [...rows.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()));
  return pairs.filter(([glob, model]) => glob || model);
}

/** Whether every row has both sides and none says again what another says; else the first that does not is shown. */
function isWhole(rows) {
  const seen = new Set();
  for (const row of rows.children) {
    const [glob, model] = row.querySelectorAll("input");
    const [name, target] = [glob.value.trim(), model.value.trim()];
    if (Boolean(name) !== Boolean(target)) return point(name ? model : glob, t("An alias needs a name and a model."));
    if (name && seen.has(name)) return point(glob, t("{name} is there twice.", { name }));
    seen.add(name);
  }
  return true;
}

function point(input, text) {
  input.setAttribute("aria-invalid", "true");
  input.focus();
  toast(text, { kind: "bad" });
  return false;
}
