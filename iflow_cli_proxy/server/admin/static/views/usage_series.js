// Rows of usage as columns of a chart: every day of the time, the largest groups by themselves, the others together.

import { day } from "../format.js";
import { t } from "../words.js";

const MOST_SERIES = 7;
const DAY_MS = 86_400_000;

/** `{ columns: [{ name, label, parts }], series: [names], currency }` for `stackedBars`. */
export function stacked(days, sums, { metric, by }) {
  const currency = mainCurrency(sums.total.cost);
  const value = (row) => ({
    requests: row.requests,
    tokens: row.total_tokens,
    cost: row.cost?.[currency] ?? 0,
  })[metric];
  const ranked = [...sums.rows].sort((one, other) => value(other) - value(one)).map((row) => row[by]);
  const own = ranked.slice(0, ranked.length > MOST_SERIES + 1 ? MOST_SERIES : ranked.length);
  const hasOthers = ranked.length > own.length;
  const columns = everyDay(days).map((name) =>
    ({ name, label: day(name), parts: Array(own.length + (hasOthers ? 1 : 0)).fill(0) }),
  );
  const byName = new Map(columns.map((column) => [column.name, column]));
  for (const row of days.rows) {
    const which = own.indexOf(row[by]);
    const column = byName.get(row.day);
    if (column) column.parts[which < 0 ? own.length : which] += value(row);
  }
  return {
    columns,
    series: [...own.map((name) => name || t("(none)")), ...(hasOthers ? [t("others")] : [])],
    currency,
  };
}

/** From the first day that was asked for to today, days without a request included. */
function everyDay({ since, until, rows }) {
  const named = rows.map((row) => row.day).sort();
  const last = localDay(until ? new Date(new Date(until).getTime() - 1) : new Date());
  const first = localDay(new Date(since));
  const all = new Set(named);
  for (let at = new Date(`${first}T12:00:00`); localDay(at) <= last; at = new Date(at.getTime() + DAY_MS)) {
    all.add(localDay(at));
  }
  return [...all].sort();
}

const localDay = (at) => [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");

const two = (number) => String(number).padStart(2, "0");

/** The one with the largest amount: currencies are not added up. */
function mainCurrency(cost) {
  const amounts = Object.entries(cost ?? {}).sort(([, one], [, other]) => other - one);
  return amounts[0]?.[0] ?? "USD";
}
