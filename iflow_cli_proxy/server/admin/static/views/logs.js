// The log as it is written: new lines arrive by themselves until it is paused.

import { get, withQuery } from "../api.js";
import { h, keep, say } from "../dom.js";
import { choices, textField } from "../fields.js";
import { icon } from "../icons.js";
import { instant } from "../format.js";
import { connection, listen } from "../live.js";
import { empty, heading } from "../parts.js";
import { complain } from "../toast.js";
import { later, locale, t } from "../words.js";

const MOST = 2000;
const SHOWN = 500;
const LEVELS = ["debug", "info", "warning", "error"];
const KNOWN = new Set(["seq", "time", "level", "message", "request_id"]);
const WORDS = { debug: later("Debug"), info: later("Info"), warning: later("Warning"), error: later("Error") };

const MARKS = { warning: "warn", error: "bad" };

export const logsView = { title: later("Logs"), show };

async function show(root, { signal }) {
  const wish = { level: "info", text: "" };
  const shown = logList(wish);
  const flow = pausable(shown.take);
  const change = (values) => {
    Object.assign(wish, values);
    shown.draw();
  };
  const fetchAll = async () => {
    const asked = { after: shown.newest(), level: "debug", limit: MOST };
    flow.hear((await get(withQuery("logs", asked), { signal })).lines);
  };
  root.append(heading(t("Logs"), flow.button), filters(wish, change), shown.list, shown.nothing);
  try {
    await fetchAll();
  } catch (error) {
    complain(error);
  }
  shown.list.scrollTop = shown.list.scrollHeight;
  listen("log", (frame) => flow.hear(frame.lines), signal);
  listen("state", () => connection() === "live" && fetchAll().catch(() => {}), signal); // what was missed meanwhile
}

/** The lines that were taken in, and those of them on the page that are wished for. */
function logList(wish) {
  let lines = [];
  const list = h("ol", { class: "loglines card", tabindex: "0", "aria-label": t("Log lines, newest at the end") });
  const nothing = empty("");
  const draw = () => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const fitting = lines.filter((line) => fits(line, wish)).slice(-SHOWN);
    keep(list, fitting, nameOf, lineNode, () => {}); // the same nodes: what is selected or read stays
    nothing.hidden = fitting.length > 0;
    say(nothing.firstChild, lines.length ? t("No line fits. Choose a lower level or another word.") : t("No line yet."));
    list.hidden = !fitting.length;
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  const take = (more) => {
    const known = new Set(lines.map(nameOf));
    lines = [...lines, ...more.filter((line) => !known.has(nameOf(line)))].slice(-MOST);
    draw();
  };
  return { list, nothing, draw, take, newest: () => lines.at(-1)?.seq ?? null };
}

/** Hands lines on as they come, or holds them back until the button is pressed again. */
function pausable(take) {
  let held = [];
  let isPaused = false;
  const press = () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    if (!isPaused) take(held);
    held = [];
    say(button, isPaused ? t("Go on") : t("Pause"));
  };
  const button = h("button", { class: "secondary", "aria-pressed": "false", onclick: press }, t("Pause"));
  const hear = (more) => {
    if (!isPaused) return take(more);
    held = [...held, ...more].slice(-MOST);
    return say(button, t("Go on ({n} new)", { n: held.length }));
  };
  return { button, hear };
}

function filters(wish, change) {
  const typed = ({ target }) => change({ text: target.value.toLowerCase() });
  const placeholder = t("a word or a request id");
  const search = textField(t("Search"), { type: "search", name: "search", placeholder, oninput: typed });
  const names = LEVELS.map((level) => [level, t(WORDS[level])]);
  const levels = choices(t("Least important level"), names, wish.level, (level) => change({ level }));
  return h("div", { class: "filters" }, search.node, levels);
}

/** Numbers begin anew when the gateway does. */
const nameOf = (line) => `${line.seq} ${line.time}`;

function fits(line, { level, text }) {
  if (LEVELS.indexOf(line.level) < LEVELS.indexOf(level)) return false;
  return !text || JSON.stringify(line).toLowerCase().includes(text);
}

function lineNode(line) {
  const rest = Object.entries(line).filter(([name, value]) => !KNOWN.has(name) && value !== null && value !== "");
  const at = instant(line.time);
  const time = new Intl.DateTimeFormat(
    locale(),
    { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  ).format(at);
  return h(
    "li",
    { class: line.level },
    h("time", { datetime: at.toISOString() }, time),
    h("span", { class: "level" }, MARKS[line.level] && icon(MARKS[line.level]), t(WORDS[line.level] ?? line.level)),
    h(
      "span",
      { class: "said" },
      line.message,
      rest.map(oneField),
      request(line),
    ),
  );
}

function oneField([name, value]) {
  return h("span", { class: "soft" }, ` ${name}=${typeof value === "object" ? JSON.stringify(value) : value}`);
}

/** The id leads to the flight record; the page's own calls have none. */
function request({ request_id: id, message }) {
  if (!id) return null;
  const link = h("a", { href: `#/requests/${encodeURIComponent(id)}` }, id);
  return [" ", message.includes(" /admin") ? h("span", { class: "soft" }, id) : link];
}
