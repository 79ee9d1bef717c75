// The request log: what was asked, by whom, and what became of it; each leads to its flight record.

import { get, withQuery } from "../api.js";
import { h, renew, say } from "../dom.js";
import { textField, toggle } from "../fields.js";
import { compact, money, span, when } from "../format.js";
import { errorWord } from "../kinds.js";
import { listen } from "../live.js";
import { badge, empty, fetched, heading, newest } from "../parts.js";
import { note } from "../router.js";
import { table } from "../table.js";
import { busy } from "../toast.js";
import { later, t } from "../words.js";
import { showFlight } from "./flight.js";

const PAGE = 50;
const TYPING_MS = 300;
const LONGEST_SEARCH = 200;

export const requestsView = {
  title: later("Requests"),
  show: (root, { rest, query, signal }) => (rest[0] ? showFlight(root, rest[0], signal) : showLog(root, query, signal)),
};

async function showLog(root, query, signal) {
  const wish = Object.fromEntries(
    ["q", "model", "key", "account", "failed"].map((name) => [name, query.get(name) ?? ""]),
  );
  const place = h("div", { class: "stack" });
  const another = newest(signal);
  const load = () => {
    note(wish);
    return showPages(place, wish, another());
  };
  const reload = h("button", { class: "secondary", onclick: load }, t("Refresh"));
  tellOfNewOnes(reload, signal);
  root.append(heading(t("Requests"), reload), filters(wish, load), place);
  await load();
}

/** The list stays as it is while somebody reads it; the button says that there is more. */
function tellOfNewOnes(button, signal) {
  let shown = null;
  const tell = ({ totals }) => {
    shown ??= totals.requests;
    const fresh = totals.requests - shown;
    say(button, fresh > 0 ? t("Refresh ({n} new)", { n: compact(fresh) }) : t("Refresh"));
  };
  button.addEventListener("click", () => (shown = null));
  listen("snapshot", tell, signal);
}

function filters(wish, load) {
  let timer = 0;
  const typed = (name, label, placeholder = "") =>
    textField(label, {
      type: "search",
      name,
      value: wish[name],
      placeholder,
      maxlength: LONGEST_SEARCH,
      oninput: ({ target }) => {
        wish[name] = target.value.trim();
        clearTimeout(timer);
        timer = setTimeout(load, TYPING_MS);
      },
    }).node;
  const failed = toggle(t("Failed only"), Boolean(wish.failed), {
    name: "failed",
    onchange: ({ target }) => {
      wish.failed = target.checked ? "1" : "";
      load();
    },
  });
  const texts = [
    typed("q", t("Search"), t("request id, model, error…")),
    typed("model", t("Model")),
    typed("key", t("Key")),
    typed("account", t("Account")),
  ];
  return h("search", { class: "filters" }, texts, failed.node);
}

async function showPages(place, wish, signal) {
  const rows = [];
  let cursor = "";
  const next = () => get(withQuery("requests", { limit: PAGE, before: cursor, ...wish }), { signal });
  const draw = (page) => {
    rows.push(...page.requests);
    cursor = page.next;
    return [
      rows.length ? logTable(rows) : nothingFits(wish),
      page.next ? h("p", { class: "row center" }, h("button", { class: "secondary", onclick: older }, t("Show older ones"))) : null,
    ];
  };
  const older = ({ currentTarget }) => busy(currentTarget, async () => renew(place, draw(await next())));
  await fetched(place, next(), draw);
}

function nothingFits(wish) {
  if (Object.values(wish).some(Boolean)) return empty(t("No request fits. Requests appear here when they have ended."));
  const step = h("a", { class: "button secondary", href: "#/playground" }, t("Ask something in the playground"));
  return empty(t("No request yet. Requests appear here when they have ended."), step);
}

const addressOf = (row) => `#/requests/${encodeURIComponent(row.id)}`;

function logTable(rows) {
  const columns = [
    { label: t("Time"), isMain: true, cell: (row) => h("a", { href: addressOf(row) }, when(row.at)) },
    { label: t("Outcome"), cell: outcome },
    { label: t("Model"), className: "named", cell: (row) => model(row) },
    { label: t("Key"), cell: (row) => row.key || "–" },
    { label: t("Account"), className: "named", cell: (row) => row.account || "–" },
    { label: t("Tokens"), isNumber: true, cell: (row) => tokens(row) },
    { label: t("Cost"), isNumber: true, cell: (row) => money(row.cost, row.currency) },
    { label: t("Duration"), isNumber: true, cell: duration },
  ];
  return table(
    t("Requests"),
    columns,
    rows,
    { className: "card log", rowOf: (node, row) => (node.dataset.id = row.id) },
  );
}

export function outcome(row) {
  if (!row.error_kind) return badge("ok", String(row.status || "200"));
  const kind = row.error_kind === "client_gone" ? "idle" : "bad";
  return badge(kind, [row.status, errorWord(row.error_kind)].filter(Boolean).join(" "));
}

function model({ model_asked: asked, model_served: served }) {
  const other = served && served !== asked ? h("span", { class: "soft under" }, `→ ${served}`) : null;
  return [h("span", {}, asked || "–"), other];
}

function duration({ duration_s: all, first_byte_s: first }) {
  const under = first && h("span", { class: "soft under" }, t("first after {time}", { time: span(first) }));
  return [h("span", {}, span(all)), under];
}

function tokens(row) {
  const all = (row.prompt ?? 0) + (row.completion ?? 0);
  if (!all) return "–";
  const title = t("{prompt} in, {completion} out", { prompt: row.prompt, completion: row.completion });
  return h("span", { title }, `${row.estimated ? "≈ " : ""}${compact(all)}`);
}
