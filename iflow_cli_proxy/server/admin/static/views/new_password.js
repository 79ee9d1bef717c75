// Choosing a password: one field with its rule, a suggestion, and how strong it is.

import { h, say } from "../dom.js";
import { textField } from "../fields.js";
import { t } from "../words.js";

const SHORTEST = 12;
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 5;

/** The field, with `value()` and `isGood()`; it complains by itself. */
export function newPassword(label, attributes = {}) {
  const made = textField(label, { type: "password", autocomplete: "new-password", required: true, ...attributes });
  const judge = judgement(made.input);
  const reveal = revealButton(made.input);
  const suggest = () => {
    made.input.value = suggestion();
    reveal.show(true);
    made.wrong("");
    judge.draw();
    made.input.select();
  };
  const another = { type: "button", class: "secondary small", onclick: suggest, id: "suggest" };
  made.node.append(...judge.nodes, h("div", { class: "row tight" }, reveal.node, h("button", another, t("Suggest one"))));
  const isGood = () => {
    const isLong = lengthOf(made.input) >= SHORTEST;
    if (!isLong) made.wrong(t("Use at least {n} characters.", { n: SHORTEST }));
    if (!isLong) made.input.focus();
    return isLong;
  };
  return { ...made, isGood, value: () => made.input.value };
}

const lengthOf = (input) => [...input.value].length;

function revealButton(input) {
  const act = () => show(input.type === "password");
  const node = h("button", { type: "button", class: "secondary small", onclick: act }, t("Show"));
  const show = (isShown) => {
    input.type = isShown ? "text" : "password";
    say(node, isShown ? t("Hide") : t("Show"));
  };
  return { node, show };
}

/** A meter and words that follow what is typed. */
function judgement(input) {
  const rule = h("p", { class: "soft rule" });
  const range = { min: "0", max: "100", low: "45", high: "75", optimum: "100" };
  const meter = h("meter", { ...range, "aria-label": t("Strength") });
  const draw = () => {
    const missing = SHORTEST - lengthOf(input);
    meter.value = strength(input.value);
    const word = meter.value < 45 ? t("Weak") : meter.value < 75 ? t("Good") : t("Strong");
    say(rule, missing > 0 ? t("At least {n} characters; {missing} more.", { n: SHORTEST, missing }) : word);
  };
  input.addEventListener("input", draw);
  draw();
  return { nodes: [meter, rule], draw };
}

/** Five groups of four from 31 signs that are not mixed up: 99 bits. */
function suggestion() {
  const sign = () => {
    const byte = new Uint8Array(1);
    do crypto.getRandomValues(byte);
    while (byte[0] >= 248); // 8 * 31: none comes more often than another
    return ALPHABET[byte[0] % ALPHABET.length];
  };
  return Array.from({ length: GROUPS }, () => sign() + sign() + sign() + sign()).join("-");
}

/** Rough, from 0 to 100: the length, and how many different signs and kinds of them. */
function strength(text) {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(text)).length;
  const different = new Set(text).size;
  return Math.min(100, Math.min(different, text.length) * 3.2 + kinds * 7 + text.length * 1.2);
}
