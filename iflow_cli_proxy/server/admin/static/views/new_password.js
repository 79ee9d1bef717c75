// Choosing a password: one field with its rule, a suggestion, and how strong it is.

import { h, say } from "../dom.js";
import { textField } from "../fields.js";
import { t } from "../words.js";

const SHORTEST = 12;
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 5;

/** The field, with `value()` and `isGood()`; it complains by itself. */
export function newPassword(label, attributes = {}) {
  const rule = h("p", { class: "soft rule" });
  const meter = h(
    "meter",
    { min: "0", max: "100", low: "45", high: "75", optimum: "100", "aria-label": t("Strength") },
  );
  const made = textField(label, { type: "password", autocomplete: "new-password", required: true, ...attributes });
  const reveal = h(
    "button",
    { type: "button", class: "secondary small", onclick: () => show(made.input.type === "password") },
    t("Show"),
  );
  const show = (isShown) => {
    made.input.type = isShown ? "text" : "password";
    say(reveal, isShown ? t("Hide") : t("Show"));
  };
  const suggest = () => {
    made.input.value = suggestion();
    show(true);
    made.wrong("");
    judge();
    made.input.select();
  };
  const judge = () => {
    const missing = SHORTEST - [...made.input.value].length;
    meter.value = strength(made.input.value);
    const word = meter.value < 45 ? t("Weak") : meter.value < 75 ? t("Good") : t("Strong");
    say(rule, missing > 0 ? t("At least {n} characters; {missing} more.", { n: SHORTEST, missing }) : word);
  };
  const isGood = () => {
    const isLong = [...made.input.value].length >= SHORTEST;
    if (!isLong) made.wrong(t("Use at least {n} characters.", { n: SHORTEST }));
    return isLong;
  };
  made.input.addEventListener("input", judge);
  judge();
  const buttons = h(
    "div",
    { class: "row tight" },
    reveal,
    h("button", { type: "button", class: "secondary small", onclick: suggest, id: "suggest" }, t("Suggest one")),
  );
  made.node.append(meter, rule, buttons);
  return { ...made, isGood, value: () => made.input.value };
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
