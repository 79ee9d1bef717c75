// The input that fits the type of a setting, and how what it holds is read back.

import { h } from "../dom.js";
import { listOf, select } from "../fields.js";
import { t } from "../words.js";

/** `{ input, read() }`; `read` gives the value as the server takes it, or an Error that says what is wrong. */
export function inputFor(leaf) {
  const common = { name: leaf.name, disabled: Boolean(leaf.locked), spellcheck: "false", autocomplete: "off" };
  const make = { boolean, choice, integer: numeric, number: numeric, list, table }[leaf.type] ?? text;
  return leaf.is_secret ? unseen(leaf, make(leaf, common)) : make(leaf, common);
}

/** A secret never comes here: it can only be replaced, and an empty input leaves it as it is. */
function unseen(leaf, { input, read }) {
  input.value = "";
  input.placeholder = leaf.is_set ? t("set; type to replace it") : t("not set");
  return { input, read: () => (input.value.trim() ? read() : leaf.value) };
}

function boolean(leaf, common) {
  const input = h("input", { ...common, type: "checkbox", role: "switch", checked: Boolean(leaf.value) });
  return { input, read: () => input.checked };
}

function choice(leaf, common) {
  const input = select(leaf.choices, leaf.value, common);
  return { input, read: () => input.value };
}

function numeric(leaf, common) {
  const isWhole = leaf.type === "integer";
  const kind = isWhole ? { inputmode: "numeric", step: "1" } : { inputmode: "decimal", step: "any" };
  const range = { min: leaf.low, max: leaf.high };
  const input = h("input", { ...common, type: "number", ...kind, ...range, value: leaf.value ?? "" });
  const read = () => {
    if (!input.value.trim() || !Number.isFinite(Number(input.value))) return new Error(t("A number is needed here."));
    if (isWhole && !Number.isInteger(Number(input.value))) return new Error(t("A whole number is needed here."));
    return Number(input.value);
  };
  return { input, read };
}

function list(leaf, common) {
  const items = leaf.value ?? [];
  const isNumbers = (items.length ? items : (leaf.default ?? [])).some((item) => typeof item === "number");
  const rows = Math.min(6, Math.max(2, isNumbers ? 1 : items.length));
  const value = items.join(isNumbers ? ", " : "\n");
  const input = h("textarea", { ...common, rows, value, placeholder: t("one a line") });
  return { input, read: () => (isNumbers ? listOf(input.value).map(Number) : listOf(input.value)) };
}

/** Tables are written as JSON: their values may be anything. */
function table(leaf, common) {
  const written = JSON.stringify(leaf.value ?? {}, null, 2);
  const input = h(
    "textarea",
    { ...common, class: "code", rows: Math.min(12, written.split("\n").length + 1), value: written },
  );
  const read = () => {
    try {
      const value = JSON.parse(input.value || "{}");
      if (value && typeof value === "object" && !Array.isArray(value)) return value;
    } catch {
      // told below
    }
    return new Error(t("This must be a JSON object, such as {example}.", { example: '{"name": "value"}' }));
  };
  return { input, read };
}

function text(leaf, common) {
  const type = leaf.is_secret ? "password" : "text";
  const input = h("input", { ...common, type, value: leaf.value ?? "" });
  return { input, read: () => input.value };
}
