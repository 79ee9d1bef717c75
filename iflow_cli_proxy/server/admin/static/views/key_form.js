// A new client key with its limits, and the one time its secret is seen.

import { post } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { blame, field, isGarbled, listOf, numberField, select, textField } from "../fields.js";
import { copyButton, notice } from "../parts.js";
import { busy } from "../toast.js";
import { t } from "../words.js";

export function createKey(reload) {
  const fields = keyFields();
  const submit = h("button", { class: "primary", type: "submit" }, t("Create the key"));
  const act = (event) => {
    event.preventDefault();
    if (!fields.name.input.value.trim()) {
      fields.name.wrong(t("Give it a name."));
      return fields.name.input.focus();
    }
    if (isGarbled([fields.rpm, fields.tpm, fields.concurrency, fields.budget])) return undefined;
    return busy(submit, async () => {
      try {
        const { key, secret } = await post("keys", wish(fields));
        dialog.close();
        await reload();
        revealSecret(key.name, secret);
      } catch (error) {
        if (!blame(error, fields)) throw error;
      }
    });
  };
  const form = h("form", { onsubmit: act, novalidate: true }, inGroups(fields), h("footer", { class: "row end" }, submit));
  const dialog = openDialog(t("Create a key"), form, { kind: "wide" });
  fields.name.input.focus();
}

function inGroups({ name, rpm, tpm, concurrency, expires, budget, models, accounts, pool, note }) {
  const group = (title, fields, className = null) =>
    h("fieldset", { class: className }, h("legend", {}, title), fields.map((one) => one.node));
  return [
    name.node,
    group(t("Limits"), [rpm, tpm, concurrency, expires, budget], "columns"),
    group(t("What it may use"), [models, accounts, pool]),
    note.node,
  ];
}

/** An amount, of what, and for how long. */
function budgetField() {
  const amount = h(
    "input",
    { type: "number", min: "0", step: "any", inputmode: "decimal", name: "budget", placeholder: t("no limit") },
  );
  const unit = select(
    [["tokens", t("tokens")], ["usd", t("US dollars")]],
    "tokens",
    { name: "unit", "aria-label": t("Unit of the budget") },
  );
  const per = select(
    [["month", t("a month")], ["day", t("a day")]],
    "month",
    { name: "per", "aria-label": t("Period of the budget") },
  );
  const budget = field(t("Budget"), amount, { className: "budget" });
  const group = h("div", { class: "joined" });
  amount.replaceWith(group);
  group.append(amount, unit, per);
  return { ...budget, unit, per };
}

function expiryField() {
  const times = [
    ["", t("never")],
    ["1d", t("in a day")],
    ["7d", t("in a week")],
    ["30d", t("in 30 days")],
    ["90d", t("in 90 days")],
    ["365d", t("in a year")],
  ];
  return field(t("Expires"), select(times, "", { name: "expires" }));
}

function keyFields() {
  const none = { placeholder: t("no limit") };
  return {
    name: textField(
      t("Name"),
      { name: "name", required: true, maxlength: 63, placeholder: "laptop" },
      { help: t("Small letters, digits and dashes.") },
    ),
    rpm: numberField(t("Requests a minute"), { name: "rpm", ...none }),
    tpm: numberField(t("Tokens a minute"), { name: "tpm", ...none }),
    concurrency: numberField(t("Requests at once"), { name: "concurrency", ...none }),
    expires: expiryField(),
    budget: budgetField(),
    models: textField(
      t("Models"),
      { name: "models", placeholder: t("all") },
      { help: t("Separated by commas; globs such as glm-* are allowed.") },
    ),
    accounts: textField(
      t("Accounts"),
      { name: "accounts", placeholder: t("all") },
      { help: t("Globs over provider/label.") },
    ),
    pool: textField(t("Pool"), { name: "pool" }, { help: t("The name of a table [pools.NAME] of the configuration.") }),
    note: textField(t("Note"), { name: "note", maxlength: 200 }),
  };
}

/** What is sent: only what was filled in, so that everything else stays without a limit. */
function wish(fields) {
  const text = (name) => fields[name].input.value.trim();
  const asked = { name: text("name") };
  for (const name of ["rpm", "tpm", "concurrency"]) if (text(name)) asked[name] = Number(text(name));
  for (const name of ["models", "accounts"]) if (text(name)) asked[name] = listOf(text(name));
  for (const name of ["pool", "expires", "note"]) if (text(name)) asked[name] = text(name);
  if (text("budget")) {
    asked.budget = fields.budget.unit.value === "usd" ? `${text("budget")}usd` : text("budget");
    asked.per = fields.budget.per.value;
  }
  return asked;
}

/** The secret, once. */
export function revealSecret(name, secret) {
  const example = `curl ${location.origin}/v1/models -H "Authorization: Bearer ${secret}"`;
  openDialog(t("The secret of {name}", { name }), [
    notice("warn", h("p", {}, t("Copy it now: only its hash is kept, and it is never shown again."))),
    h(
      "p",
      { class: "row secret" },
      h("output", { class: "code", id: "secret" }, secret),
      copyButton(secret, t("Copy"), { autofocus: true }),
    ),
    h("p", {}, t("For example:")),
    h("pre", { class: "code", tabindex: "0" }, example),
  ], { kind: "wide" });
}
