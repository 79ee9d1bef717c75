// Every setting, generated from the server's description; changes are gathered and saved together.

import { get, patch } from "../api.js";
import { confirm } from "../dialog.js";
import { h, replace, say } from "../dom.js";
import { fetched, heading } from "../parts.js";
import { guard } from "../router.js";
import { busy, toast } from "../toast.js";
import { later, t } from "../words.js";
import { settingRow } from "./setting_row.js";
import { settingsSearch } from "./settings_search.js";

export const settingsView = { title: later("Settings"), show };

async function show(root, { signal }) {
  const place = h("div", { class: "settings-body" });
  root.append(heading(t("Settings")), place);
  await fetched(place, get("settings", { signal }), ({ tables }) => form(tables, signal));
}

function form(tables, signal) {
  const sheet = settingsSheet();
  const bar = saveBar(() => sheet.fill(tables));
  sheet.whenChanged = () => bar.draw(sheet.changes.size);
  const find = settingsSearch(sheet.sections);
  const act = (event) => {
    event.preventDefault();
    return busy(bar.button, async () => {
      const saved = await save(sheet, find, signal);
      if (saved) tables = saved;
      if (saved) find.draw();
    });
  };
  sheet.fill(tables);
  const isHeld = () => sheet.changes.size > 0;
  addEventListener("beforeunload", (event) => isHeld() && event.preventDefault(), { signal });
  guard({ isHeld, ask: () => confirm(leaving()) }, signal);
  return [
    h("div", { class: "aside" }, find.node, sheet.index),
    h("form", { onsubmit: act, novalidate: true }, sheet.sections, find.nothing, bar.node),
  ];
}

/** All rows, and what was changed in them: `changes` from names to values. */
function settingsSheet() {
  const sheet = {
    sections: h("div", { class: "stack" }),
    index: h("nav", { class: "index", "aria-label": t("Tables of settings") }),
    changes: new Map(),
    rows: new Map(),
    whenChanged: () => {},
  };
  const change = (name, value, isChanged) => {
    if (isChanged) sheet.changes.set(name, value);
    else sheet.changes.delete(name);
    sheet.whenChanged();
  };
  sheet.fill = (tables) => {
    sheet.changes.clear();
    sheet.rows.clear();
    replace(sheet.sections, tables.map((one) => section(one, sheet.rows, change)));
    replace(sheet.index, tables.map((one) => h("a", { href: `#table-${one.name}`, onclick: jump }, one.name)));
    sheet.whenChanged();
  };
  return sheet;
}

/** The tables as they are after it; nothing when it was refused, which is told at its row. */
async function save(sheet, find, signal) {
  const { changes } = sheet;
  for (const [name, value] of changes) {
    if (value instanceof Error) return complainAt(sheet.rows.get(name), find, value.message);
  }
  try {
    const answer = await patch("settings", { changes: Object.fromEntries(changes) });
    const [first] = changes.keys();
    const tables = answer.tables ?? (await get("settings", { signal })).tables;
    sheet.fill(tables);
    sheet.rows.get(first)?.focus({ preventScroll: true }); // the button is gone with the bar
    tell(answer.waiting_for_restart ?? []);
    return tables;
  } catch (error) {
    const row = sheet.rows.get(error.param);
    if (!row) throw error;
    return complainAt(row, find, [error.message, error.hint].filter(Boolean).join(" "));
  }
}

function complainAt(row, find, text) {
  if (row.node.hidden) find.clear();
  row.wrong(text);
  row.focus();
}

function tell(waiting) {
  if (waiting.length) toast(t("Saved. After a restart: {names}", { names: waiting.join(", ") }), { kind: "warn" });
  else toast(t("Saved and in effect."));
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

function saveBar(discard) {
  const count = h("p", { role: "status" });
  const button = h("button", { class: "primary", type: "submit" }, t("Save"));
  const back = () => {
    discard();
    document.querySelector("h1").focus({ preventScroll: true });
  };
  const buttons = [h("button", { type: "button", class: "secondary", onclick: back }, t("Discard")), button];
  const node = h("div", { class: "savebar" }, count, h("div", { class: "row" }, buttons));
  const draw = (size) => {
    node.hidden = size === 0;
    say(count, size === 1 ? t("1 change is not saved") : t("{n} changes are not saved", { n: size }));
  };
  draw(0);
  return { node, button, draw };
}
