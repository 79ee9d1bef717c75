// Numbers, times and sizes as people read them, in the language of the page.

import { h } from "./dom.js";
import { locale, t } from "./words.js";

const KILO = 1024;

export const number = (value) => new Intl.NumberFormat(locale(), { maximumFractionDigits: 2 }).format(value ?? 0);

/** 1.2K, 3.4M; exact below ten thousand. */
export function compact(value) {
  if (Math.abs(value ?? 0) < 10_000) return number(Math.round((value ?? 0) * 10) / 10);
  return new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function percent(share) {
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: digits }).format(share ?? 0);
}

/** A length of time: 840 ms, 1.24 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function span(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.9995) return t("{n} ms", { n: number(Number((seconds * 1000).toPrecision(2 + (seconds >= 0.1)))) });
  if (seconds < 60) return t("{n} s", { n: number(Number(seconds.toFixed(seconds < 10 ? 2 : 1))) });
  return whole(seconds);
}

/** The same in whole seconds, for countdowns and ages. */
export function whole(seconds) {
  const all = Math.max(0, Math.round(seconds));
  const [s, m, hours, d] = [all % 60, Math.floor(all / 60) % 60, Math.floor(all / 3600) % 24, Math.floor(all / 86_400)];
  if (d) return hours ? t("{d} d {h} h", { d, h: hours }) : t("{d} d", { d });
  if (hours) return m ? t("{h} h {m} min", { h: hours, m }) : t("{h} h", { h: hours });
  if (m) return s ? t("{m} min {s} s", { m, s }) : t("{m} min", { m });
  return t("{n} s", { n: s });
}

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  if (count < KILO) return t("{n} B", { n: count });
  if (count < KILO * KILO) return t("{n} KB", { n: number(Math.round((count / KILO) * 10) / 10) });
  return t("{n} MB", { n: number(Math.round((count / KILO / KILO) * 10) / 10) });
}

/** Money: an amount with its currency, or amounts by currency; small ones keep their digits. */
export function money(cost, currency = "USD") {
  if (cost === null || cost === undefined) return "–";
  const amounts = typeof cost === "object" ? Object.entries(cost) : [[currency || "USD", cost]];
  if (!amounts.length) return "–";
  return amounts.map(([name, amount]) => oneAmount(name, amount)).join(" + ");
}

function oneAmount(name, amount) {
  const digits = amount !== 0 && Math.abs(amount) < 0.1 ? 5 : 2;
  const style = { minimumFractionDigits: 2, maximumFractionDigits: digits };
  try {
    const currency = { style: "currency", currency: name, currencyDisplay: "narrowSymbol" };
    return new Intl.NumberFormat(locale(), { ...currency, ...style }).format(amount);
  } catch {
    return `${new Intl.NumberFormat(locale(), style).format(amount)} ${name}`; // a currency that nobody has heard of
  }
}

/** A moment from the server: RFC 3339, or seconds since 1970. */
export const instant = (value) => new Date(typeof value === "number" ? value * 1000 : value);

/** The time of day; the date too when it is not today. */
export function moment(value) {
  if (value === null || value === undefined || value === "") return "–";
  const at = instant(value);
  const isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? { second: "2-digit" } : { month: "short", day: "numeric" };
  const year = at.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(locale(), { ...year, ...day, ...time }).format(at);
}

/** A day by its name, 2026-11-20. */
export function day(name) {
  const at = new Date(`${name}T12:00:00`);
  if (Number.isNaN(at.getTime())) return name;
  return new Intl.DateTimeFormat(locale(), { month: "short", day: "numeric" }).format(at);
}

/** "in 5 min", "3 h ago". */
export function distance(value) {
  const seconds = (instant(value).getTime() - Date.now()) / 1000;
  return seconds > 0 ? t("in {time}", { time: coarse(seconds) }) : t("{time} ago", { time: coarse(-seconds) });
}

/** The largest unit alone. */
function coarse(seconds) {
  if (seconds < 60) return t("{n} s", { n: Math.round(seconds) });
  if (seconds < 3600) return t("{m} min", { m: Math.round(seconds / 60) });
  if (seconds < 86_400) return t("{h} h", { h: Math.round(seconds / 3600) });
  return t("{d} d", { d: Math.round(seconds / 86_400) });
}

/** A moment as an element whose full form shows on hover. */
export function when(value, text = moment(value)) {
  if (value === null || value === undefined || value === "") return "–";
  return h("time", { datetime: instant(value).toISOString(), title: instant(value).toLocaleString(locale()) }, text);
}
