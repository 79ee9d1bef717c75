// Other names for models: a pattern on the left, the model it stands for on the right.

import { put } from "../api.js";
import { h, replace } from "../dom.js";
import { icon } from "../icons.js";
import { busy, toast } from "../toast.js";
import { t } from "../words.js";

const AS_TYPED = { spellcheck: "false", autocomplete: "off" };

export function aliasEditor(aliases, models) {
  const rows = h("div", { class: "stack tight" });
  const save = h("button", { class: "primary", type: "submit" }, t("Save aliases"));
  const add = (glob = "", model = "") => rows.append(aliasRow(glob, model));
  const fill = (all) => {
    replace(rows);
    for (const [glob, model] of Object.entries(all)) add(glob, model);
  };
  const more = () => {
    add();
    rows.lastElementChild.querySelector("input").focus();
  };
  const act = (event) => {
    event.preventDefault();
    return busy(save, async () => {
      fill((await put("models/aliases", { aliases: written(rows) })).aliases);
      toast(t("The aliases are saved and in use."));
    });
  };
  fill(aliases);
  return h(
    "section",
    { class: "card aliases", "aria-label": t("Aliases") },
    h("h2", {}, t("Aliases")),
    h(
      "p",
      { class: "soft" },
      t(
        "A request for the name on the left is answered by the model on the right. The left may be a glob.",
      ),
    ),
    h("datalist", { id: "model-names" }, models.map((model) => h("option", { value: model.id }))),
    h(
      "form",
      { onsubmit: act },
      rows,
      h(
        "footer",
        { class: "row" },
        h("button", { type: "button", class: "secondary", onclick: more }, icon("plus"), t("Add an alias")),
        save,
      ),
    ),
  );
}

function aliasRow(glob, model) {
  const label = t("Remove the alias {name}", { name: glob });
  const remove = () => {
    const next = node.nextElementSibling ?? node.previousElementSibling;
    node.remove();
    (next?.querySelector("button") ?? document.querySelector("main")).focus();
  };
  const node = h(
    "div",
    { class: "alias" },
    h(
      "input",
      { name: "glob", value: glob, "aria-label": t("Name that is asked for"), placeholder: "gpt-*", ...AS_TYPED },
    ),
    h("span", { class: "soft", "aria-hidden": "true" }, "→"),
    h(
      "input",
      { name: "model", value: model, list: "model-names", "aria-label": t("Model that answers"), ...AS_TYPED },
    ),
    h(
      "button",
      { type: "button", class: "quiet small", "aria-label": label, onclick: remove },
      icon("close"),
    ),
  );
  return node;
}

function written(rows) {
  const pairs = [...rows.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()));
  return Object.fromEntries(pairs.filter(([glob, model]) => glob || model));
}
