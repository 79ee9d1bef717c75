// The text of an answer as it is read: what stands between fences is code, with a button that copies it.

import { h } from "../dom.js";
import { copyButton } from "../parts.js";
import { t } from "../words.js";

const FENCED = /^[ \t]*```([^\n`]*)\n([\s\S]*?)^[ \t]*```[ \t]*$/m;

/** Text and code in turn, as nodes. */
export function answerText(text) {
  const pieces = text.split(FENCED); // text, language, code, text, ...
  const nodes = [];
  for (let at = 0; at < pieces.length; at += 3) {
    const words = pieces[at].replace(/^\n+|\n+$/g, "");
    if (words.trim()) nodes.push(h("p", { class: "pre" }, words));
    if (at + 2 < pieces.length) nodes.push(code(pieces[at + 1].trim(), pieces[at + 2].replace(/\n$/, "")));
  }
  return nodes;
}

function code(language, text) {
  return h(
    "figure",
    { class: "snippet" },
    h(
      "figcaption",
      { class: "row spread" },
      h("span", { class: "soft" }, language || t("Code")),
      copyButton(text, t("Copy"), { class: "quiet small" }),
    ),
    h("pre", { class: "code tall", tabindex: "0", "aria-label": language || t("Code") }, text),
  );
}
