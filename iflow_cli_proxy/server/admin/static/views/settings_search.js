// Finding a setting among all of them.

import { textField } from "../fields.js";
import { empty } from "../parts.js";
import { t } from "../words.js";

/** Hides what does not fit; `nothing` shows when that is everything. `clear()` shows all again. */
export function settingsSearch(sections) {
  const nothing = empty(t("No setting has such a word."));
  const field = textField(
    t("Search"),
    { type: "search", name: "search", placeholder: t("a name or a word of the help"), oninput: () => draw() },
  );
  const draw = () => {
    const words = field.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const section of sections.children) {
      let shown = 0;
      for (const row of section.querySelectorAll(".setting")) {
        row.hidden = !words.every((word) => row.dataset.words.includes(word));
        if (!row.hidden) shown += 1;
      }
      section.hidden = !shown;
      found += shown;
    }
    nothing.hidden = found > 0;
  };
  const clear = () => {
    field.input.value = "";
    draw();
  };
  nothing.hidden = true;
  return { node: field.node, nothing, draw, clear };
}
