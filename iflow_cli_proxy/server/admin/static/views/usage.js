// What was used: a chart over days, and the same numbers in a table.

import { get, withQuery } from "../api.js";
import { stackedBars } from "../charts.js";
import { h } from "../dom.js";
import { choices } from "../fields.js";
import { compact, money, number, percent, span } from "../format.js";
import { empty, fetched, heading, newest, tile } from "../parts.js";
import { note } from "../router.js";
import { table } from "../table.js";
import { later, t } from "../words.js";
import { stacked } from "./usage_series.js";

const RANGES = [
  ["today", later("Today")],
  ["7d", later("7 days")],
  ["30d", later("30 days")],
  ["90d", later("90 days")],
];
const METRICS = [["requests", later("Requests")], ["tokens", later("Tokens")], ["cost", later("Cost")]];
const GROUPS = [
  ["model", later("Model")],
  ["key", later("Key")],
  ["account", later("Account")],
  ["protocol", later("Protocol")],
];

export const usageView = { title: later("Usage"), show };

async function show(root, { query, signal }) {
  const wish = {
    since: picked(RANGES, query.get("since"), "7d"),
    metric: picked(METRICS, query.get("metric"), "tokens"),
    by: picked(GROUPS, query.get("by"), "model"),
  };
  const place = h("div", { class: "stack" });
  const another = newest(signal);
  const load = () => {
    note(wish);
    const asking = another();
    const sums = (by) => get(withQuery("usage", { by, since: wish.since }), { signal: asking });
    const fetching = Promise.all([sums(`day,${wish.by}`), sums(wish.by)]);
    return fetched(place, fetching, ([days, sums]) => draw(days, sums, wish));
  };
  const choose = (label, pairs, name) => {
    const pick = (key) => {
      wish[name] = key;
      load();
    };
    return choices(label, pairs.map(([key, text]) => [key, t(text)]), wish[name], pick);
  };
  const filters = [
    choose(t("Time"), RANGES, "since"),
    choose(t("What is shown"), METRICS, "metric"),
    choose(t("Grouped by"), GROUPS, "by"),
  ];
  root.append(heading(t("Usage")), h("div", { class: "filters" }, filters), place);
  await load();
}

const picked = (pairs, wanted, usual) => (pairs.some(([key]) => key === wanted) ? wanted : usual);

function draw(days, sums, wish) {
  if (!sums.rows.length) {
    const step = h("a", { class: "button secondary", href: "#/playground" }, t("Ask something in the playground"));
    return empty(t("Nothing was asked in this time."), step);
  }
  const { columns, series, currency } = stacked(days, sums, wish);
  const shown = wish.metric === "cost" ? (value) => money(value, currency) : compact;
  const title = t(METRICS.find(([key]) => key === wish.metric)[1]);
  const label = t("{what} over days; the table below has the numbers", { what: title });
  return [
    totals(sums.total),
    h(
      "section",
      { class: "card", "aria-label": title },
      h("h2", {}, title),
      stackedBars(label, columns, series, shown),
    ),
    sumTable(sums, wish.by),
  ];
}

function totals(total) {
  const tiles = [
    [t("Requests"), compact(total.requests), t("{share} failed", { share: percent(total.error_share) })],
    [
      t("Tokens"),
      compact(total.total_tokens),
      t(
        "{prompt} in, {completion} out",
        { prompt: compact(total.prompt_tokens), completion: compact(total.completion_tokens) },
      ),
    ],
    [
      t("Cost"),
      money(total.cost),
      total.unpriced_requests ? t("{n} requests without a price", { n: compact(total.unpriced_requests) }) : "",
    ],
    [t("First byte"), milliseconds(total.first_byte_ms), t("on average")],
  ];
  return h("dl", { class: "tiles" }, tiles.map(([label, value, words]) => {
    const made = tile(label);
    made.set(value, words);
    return made.node;
  }));
}

const milliseconds = (time) => (time === null ? "–" : span(time / 1000));
const count = (value) => (value ? number(value) : "–");
const none = () => h("span", { class: "soft" }, t("(none)"));

function sumTable(sums, by) {
  const columns = [
    { label: t(GROUPS.find(([key]) => key === by)[1]), isMain: true, className: "named", cell: (row) => row[by] || none() },
    { label: t("Requests"), isNumber: true, cell: (row) => number(row.requests) },
    { label: t("Failed"), isNumber: true, cell: (row) => count(row.errors) },
    { label: t("Tokens in"), isNumber: true, cell: (row) => number(row.prompt_tokens) },
    { label: t("of them cached"), isNumber: true, cell: (row) => count(row.cached_tokens) },
    { label: t("Tokens out"), isNumber: true, cell: (row) => number(row.completion_tokens) },
    { label: t("Cost"), isNumber: true, cell: (row) => money(row.cost) },
    { label: t("First byte"), isNumber: true, cell: (row) => milliseconds(row.first_byte_ms) },
    { label: t("Duration"), isNumber: true, cell: (row) => milliseconds(row.duration_ms) },
  ];
  const rows = [...sums.rows].sort((one, other) => other.total_tokens - one.total_tokens);
  return table(t("Usage"), columns, rows, { className: "card" });
}
