// One request from the flight recorder: its route, every attempt over time, what was changed, what went over the wire.

import { get } from "../api.js";
import { h, prose } from "../dom.js";
import { bytes, compact, money, number, span, when } from "../format.js";
import { icon } from "../icons.js";
import { copyButton, facts, fetched, heading, notice, problem } from "../parts.js";
import { timeline } from "../timeline.js";
import { t } from "../words.js";
import { messages } from "./flight_messages.js";
import { outcome } from "./requests.js";

export async function showFlight(root, id, signal) {
  const back = h("a", { class: "button secondary", href: "#/requests" }, icon("back"), t("All requests"));
  const place = h("div", { class: "stack" });
  root.append(
    heading(t("Request"), back),
    h("p", { class: "row" }, h("code", { class: "wrap" }, id), copyButton(id)),
    place,
  );
  await fetched(place, get(`requests/${encodeURIComponent(id)}`, { signal }), draw);
}

function draw({ row, flight }) {
  if (!flight) {
    const why = t("The flight recorder has nothing of this request any more; it keeps the newest ones.");
    return [summary(row ?? {}), notice("info", h("p", {}, why))];
  }
  return [
    failure(flight.error),
    summary(row ?? {}),
    route(flight),
    attempts(flight, row),
    changes(flight),
    gaps(flight.gaps),
    messages(flight),
  ];
}

/** What the client was told, with the next thing to try. */
const failure = (error) => (error?.message ? problem(error) : null);

function summary(row) {
  const given = (value, shown = value) => (value ? shown : null);
  return h(
    "section",
    { class: "card", "aria-label": t("Summary") },
    facts([
      [t("Outcome"), outcome(row)],
      [t("Time"), given(row.at, when(row.at))],
      [t("Model"), [...new Set([row.model_asked, row.model_served])].filter(Boolean).join(" → ")],
      [t("Key"), row.key],
      [t("Account"), [row.provider, row.account].filter(Boolean).join(" / ")],
      [t("Protocol"), [row.protocol?.replaceAll("_", " "), row.stream ? t("streamed") : ""].filter(Boolean).join(", ")],
      [t("Tokens"), tokenLine(row)],
      [t("Cost"), row.cost === null ? null : money(row.cost, row.currency)],
      [t("First byte"), given(row.first_byte_s, span(row.first_byte_s))],
      [t("Duration"), given(row.duration_s, span(row.duration_s))],
      [t("Our own part"), given(row.overhead_s, span(row.overhead_s))],
      [
        t("Bytes"),
        row.bytes_in === undefined ? null : t(
          "{in} in, {out} out",
          { in: bytes(row.bytes_in), out: bytes(row.bytes_out) },
        ),
      ],
    ]),
  );
}

function tokenLine({ prompt = 0, cached = 0, completion = 0, reasoning = 0, estimated }) {
  if (!prompt && !completion) return null;
  const parts = [
    t("{prompt} in, {completion} out", { prompt: number(prompt), completion: number(completion) }),
    cached && t("{n} cached", { n: compact(cached) }),
    reasoning && t("{n} thinking", { n: compact(reasoning) }),
    estimated && t("estimated"),
  ];
  return parts.filter(Boolean).join(" · ");
}

function route({ route: way }) {
  if (!way) return null;
  return card(
    t("Route"),
    facts([
      [t("Asked for"), h("code", {}, way.asked || "–")],
      [t("Alias"), way.alias],
      [t("Candidates"), (way.routes ?? []).join(" → ")],
      [t("Strategy"), way.strategy],
      [t("Conversation"), way.session ? t("stays on its account") : null],
    ]),
    bullets(way.notes ?? []),
  );
}

function attempts({ attempts: all = [] }, row) {
  if (!all.length) return null;
  return card(t("Attempts"), timeline(all, row?.duration_s), h("ol", { class: "attempts" }, all.map(attempt)));
}

function attempt(one) {
  return h(
    "li",
    {},
    h("p", { class: "row" }, outcome(one), h("strong", {}, one.account), h("span", { class: "soft" }, one.route)),
    one.url && h("p", {}, h("code", { class: "wrap soft" }, one.url)),
    one.message && h("p", { class: "wrap" }, prose(one.message)),
    one.retry && h("p", { class: "soft" }, t("Tried again: {why}", { why: one.retry })),
  );
}

function changes({ notes = [], repairs = 0 }) {
  if (!notes.length && !repairs) return null;
  const told = notes.map((one) => [h("code", {}, one.path), " ", one.what]);
  if (repairs === 1) told.push(t("1 repair of the conversation"));
  else if (repairs) told.push(t("{n} repairs of the conversation", { n: repairs }));
  return card(t("What was changed"), bullets(told));
}

/** Silences between chunks: how many were how long. */
function gaps(given) {
  if (!given?.buckets?.some(([, count]) => count > 0)) return null;
  const most = Math.max(1, ...given.buckets.map(([, count]) => count));
  const line = ([edge, count], index, all) => {
    const before = span(Number(all[index - 1]?.[0] ?? 0));
    const name = edge === "inf" ? t("over {time}", { time: before }) : t("up to {time}", { time: span(Number(edge)) });
    return h(
      "li",
      {},
      h("span", {}, name),
      h("meter", { min: "0", max: most, value: count, "aria-label": name }),
      h("span", { class: "number" }, number(count)),
    );
  };
  const words = t(
    "{n} chunks; the longest silence was {time}.",
    { n: number(given.chunks), time: span(given.longest_s) },
  );
  return card(
    t("Gaps between chunks"),
    h("p", { class: "soft" }, words),
    h("ul", { class: "gaps" }, given.buckets.map(line)),
  );
}

const card = (title, ...content) => h("section", { class: "card", "aria-label": title }, h("h2", {}, title), content);

function bullets(items) {
  const line = (item) => h("li", {}, typeof item === "string" ? prose(item) : item);
  return items.length > 0 && h("ul", { class: "bullets" }, items.map(line));
}
