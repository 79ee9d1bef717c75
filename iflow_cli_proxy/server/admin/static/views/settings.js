// Every setting, generated from the server's description; changes are gathered and saved together.

import { get, patch } from "../api.js";
import { confirm } from "../dialog.js";
import { h, replace, say } from "../dom.js";
import { textField } from "../fields.js";
import { empty, fetched, heading } from "../parts.js";
import { guard } from "../router.js";
import { busy, toast } from "../toast.js";
import { later, t } from "../words.js";
import { settingRow } from "./setting_row.js";

export const settingsView = { title: later("Settings"), show };

async function show(root, { signal }) {
  const place = h("div", { class: "settings-body" });
  root.append(heading(t("Settings")), place);
  await fetched(place, get("settings", { signal }), ({ tables }) => form(tables, signal));
}

function form(tables, signal) {
  const changes = new Map();
  let rows = new Map();
  const sections = h("div", { class: "stack" });
  const index = h("nav", { class: "index", "aria-label": t("Tables of settings") });
  const bar = saveBar(() => save(), () => fill(tables));
  const change = (name, value, isChanged) => {
    if (isChanged) changes.set(name, value);
    else changes.delete(name);
    bar.draw(changes.size);
  };
  const fill = (given) => {
    tables = given;
    changes.clear();
    bar.draw(0);
    rows = new Map();
    replace(sections, tables.map((one) => section(one, rows, change)));
    replace(index, tables.map((one) => h("a", { href: `#table-${one.name}`, onclick: jump }, one.name)));
    find.draw();
  };
  const find = search(sections);
  const save = () => busy(bar.button, async () => {
    for (const [name, value] of changes) {
      if (value instanceof Error) return rows.get(name).focus();
    }
    try {
      const answer = await patch("settings", { changes: Object.fromEntries(changes) });
      fill(answer.tables ?? (await get("settings", { signal })).tables);
      const waiting = answer.waiting_for_restart ?? [];
      if (waiting.length) toast(t("Saved. After a restart: {names}", { names: waiting.join(", ") }), { kind: "warn" });
      else toast(t("Saved and in effect."));
    } catch (error) {
      const row = rows.get(error.param);
      if (!row) throw error;
      row.wrong([error.message, error.hint].filter(Boolean).join(" "));
      row.focus();
    }
    return undefined;
  });
  fill(tables);
  addEventListener("beforeunload", (event) => changes.size && event.preventDefault(), { signal });
  guard(() => changes.size === 0 || confirm(leaving()), signal);
  return [
    h("div", { class: "aside" }, find.node, index),
    h(
      "form",
      { onsubmit: (event) => (event.preventDefault(), save()), novalidate: true },
      sections,
      find.nothing,
      bar.node,
    ),
  ];
}

const leaving = () => ({
  title: t("Leave without saving?"),
  text: t("What you have changed here is not saved yet."),
  action: t("Leave"),
});

/** Anchors belong to the router, so the jump is made here. */
function jump(event) {
  event.preventDefault();
  const target = document.getElementById(event.currentTarget.getAttribute("href").slice(1));
  target.scrollIntoView({ block: "start" });
  target.querySelector("h2").focus({ preventScroll: true });
}

function section(one, rows, change) {
  const made = one.leaves.map((leaf) => {
    const row = settingRow(leaf, one.name, change);
    rows.set(leaf.name, row);
    return row.node;
  });
  return h(
    "section",
    { class: "card", id: `table-${one.name}` },
    h("h2", { tabindex: "-1" }, one.name),
    one.help && h("p", { class: "soft" }, t(one.help)),
    made,
  );
}

function search(sections) {
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
  return { node: field.node, nothing, draw };
}

function saveBar(save, discard) {
  const count = h("p", { role: "status" });
  const button = h("button", { class: "primary", type: "submit" }, t("Save"));
  const node = h(
    "div",
    { class: "savebar" },
    count,
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "secondary", onclick: discard }, t("Discard")),
      button,
    ),
  );
  const draw = (size) => {
    node.hidden = size === 0;
    say(count, size === 1 ? t("1 change is not saved") : t("{n} changes are not saved", { n: size }));
  };
  draw(0);
  return { node, button, draw, save };
}
