// Labelled inputs: every one has its name, its help and a place for what is wrong with it.

import { h, prose, say } from "./dom.js";
import { t } from "./words.js";

let count = 0;

/** A field around an input, select or textarea that is given; `wrong("")` clears the complaint. */
export function field(label, input, { help = "", className = "" } = {}) {
  const id = input.id || `field-${++count}`;
  input.id = id;
  const hint = h("p", { class: "soft", id: `${id}-help` }, prose(help));
  const mistake = h("p", { class: "mistake", id: `${id}-mistake`, role: "alert" });
  input.setAttribute("aria-describedby", `${id}-mistake${help ? ` ${id}-help` : ""}`);
  const name = h("label", { for: id }, label);
  const node = h("div", { class: `field ${className}` }, name, input, help && hint, mistake);
  const wrong = (text) => {
    say(mistake, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => wrong(""));
  return { node, input, wrong, label: name, hint, mistake };
}

export function textField(label, attributes = {}, options = {}) {
  return field(label, h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes }), options);
}

export function numberField(label, attributes = {}, options = {}) {
  return textField(label, { type: "number", inputmode: "numeric", min: "0", ...attributes }, options);
}

/** `choices` are pairs of value and text, or plain values. */
export function selectField(label, choices, { value = "", onchange, ...options } = {}) {
  return field(label, select(choices, value, { onchange }), options);
}

export function select(choices, value, attributes = {}) {
  const pairs = choices.map((choice) => (Array.isArray(choice) ? choice : [choice, choice]));
  const node = h("select", attributes, pairs.map(([name, text]) => h("option", { value: name }, text)));
  node.value = value;
  return node;
}

/** A few choices side by side, of which one is on. */
export function choices(label, pairs, value, onpick) {
  const name = `choice-${++count}`;
  const options = pairs.map(([key, text]) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name, value: key, checked: key === value, onchange: () => onpick(key) }),
      h("span", {}, text),
    ),
  );
  return h("fieldset", { class: "choices" }, h("legend", { class: "unseen" }, label), options);
}

export function toggle(label, isOn, attributes = {}) {
  const input = h("input", { type: "checkbox", role: "switch", checked: isOn, ...attributes });
  return { node: h("label", { class: "toggle" }, input, h("span", {}, label)), input };
}

/** Complain at the first field whose text is no number; the browser gives such a one as if it were empty. */
export function isGarbled(fields) {
  const found = fields.find(({ input }) => input.validity.badInput);
  found?.wrong(t("A number is needed here."));
  found?.input.focus();
  return found !== undefined;
}

/** Show a refusal of the server at the field it is about; false when it is about none of them. */
export function blame(error, fields) {
  const about = fields[error.param];
  if (!about) return false;
  about.wrong([error.message, error.hint].filter(Boolean).join(" "));
  about.input.focus();
  return true;
}

/** The words of a list that a person wrote, separated by commas or lines. */
export const listOf = (text) => text.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);
