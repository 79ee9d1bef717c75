// What happens right now: rates of the last minute, requests in flight, accounts.

import { post } from "../api.js";
import { minuteBars, sparkline } from "../charts.js";
import { confirm } from "../dialog.js";
import { h, keep, replace, say } from "../dom.js";
import { compact, number, percent, span, whole } from "../format.js";
import { errorWord } from "../kinds.js";
import { lastSnapshot, listen } from "../live.js";
import { badge, empty, heading, notice, tile } from "../parts.js";
import { busy, toast } from "../toast.js";
import { later, t } from "../words.js";
import { accountHead, restLine } from "./account_rows.js";

const PHASES = {
  queued: ["idle", later("queued")],
  waiting: ["wait", later("waiting")],
  thinking: ["info", later("thinking")],
  streaming: ["ok", later("streaming")],
};

export const dashboardView = { title: later("Dashboard"), show };

function show(root, { signal }) {
  const button = h("button", { class: "secondary", id: "accepting", onclick: () => switchTraffic(button) });
  const parts = [rates(), minute(), inFlight(), accounts(), breakers()];
  root.append(heading(t("Dashboard"), button), h("div", { class: "stack" }, parts.map((part) => part.node)));
  const draw = (snapshot) => {
    say(button, snapshot.accepting ? t("Stop accepting requests") : t("Start accepting requests"));
    button.dataset.accepting = String(snapshot.accepting);
    for (const part of parts) part.draw(snapshot);
  };
  button.hidden = true;
  const heard = (snapshot) => {
    button.hidden = false;
    draw(snapshot);
  };
  if (lastSnapshot()) heard(lastSnapshot());
  listen("snapshot", heard, signal);
}

async function switchTraffic(button) {
  const isStop = button.dataset.accepting === "true";
  const asked = {
    title: t("Stop accepting requests?"),
    text: t("New requests get 503 until you start again. Those that are running go on to their end."),
    action: t("Stop accepting requests"),
  };
  if (isStop && !(await confirm(asked))) return;
  const answer = await busy(button, () => post(isStop ? "server/stop" : "server/start"));
  if (answer) toast(
    answer.accepting ? t("The gateway accepts requests again.") : t("The gateway accepts no new requests."),
  );
}

function rates() {
  const tiles = {
    requests: tile(t("Requests, last minute")),
    errors: tile(t("Errors, last minute")),
    tokens: tile(t("Tokens a second")),
    first: tile(t("First byte")),
    running: tile(t("In flight")),
    uptime: tile(t("Since start")),
  };
  const node = h("dl", { class: "tiles" }, Object.values(tiles).map((one) => one.node));
  const draw = ({ minute, totals, queue, in_flight_total: running, uptime_s: uptime }) => {
    tiles.requests.set(compact(minute.requests), t("{n} a second", { n: number(minute.requests / 60) }));
    tiles.errors.set(percent(minute.error_rate), kinds(minute.errors_by_kind));
    tiles.errors.node.classList.toggle("troubled", minute.errors > 0);
    tiles.tokens.set(compact(minute.tokens_per_s), t("{n} in the last minute", { n: compact(minute.tokens) }));
    tiles.first.set(span(minute.first_byte_p50_s), t("95 %: {time}", { time: span(minute.first_byte_p95_s) }));
    tiles.running.set(compact(running), queue ? t("{n} waiting in the queue", { n: queue }) : t("nobody waits"));
    tiles.uptime.set(compact(totals.requests), t("requests in {time}", { time: whole(uptime) }));
  };
  return { node, draw };
}

function kinds(counts) {
  const told = Object.entries(counts ?? {}).map(([kind, count]) => `${count} × ${errorWord(kind)}`);
  return told.join(", ") || t("none");
}

function minute() {
  const bars = minuteBars(t("Requests of the last minute, a bar a second"));
  const line = sparkline(t("Tokens of the last minute"));
  const ends = () => h(
    "div",
    { class: "row spread soft", "aria-hidden": "true" },
    h("span", {}, t("a minute ago")),
    h("span", {}, t("now")),
  );
  const node = h(
    "section",
    { class: "card last-minute", "aria-label": t("The last minute") },
    h("div", {}, h("h2", {}, t("Requests")), bars.node, ends()),
    h("div", {}, h("h2", {}, t("Tokens")), line.node, ends()),
  );
  const draw = ({ history }) => {
    bars.draw(history);
    line.draw(history.map((second) => second.tokens));
  };
  return { node, draw };
}

function inFlight() {
  const list = h("ul", { class: "flights" });
  const nothing = empty(t("Nothing is running. Requests show up here the moment they arrive."));
  const more = h("p", { class: "soft" });
  const node = h(
    "section",
    { class: "card", "aria-label": t("Requests in flight") },
    h("h2", {}, t("Requests in flight")),
    list,
    nothing,
    more,
  );
  const draw = ({ in_flight: flights, in_flight_total: total }) => {
    keep(list, flights, (flight) => flight.id, () => h("li", {}), drawFlight);
    nothing.hidden = flights.length > 0;
    say(more, total > flights.length ? t("and {n} more", { n: total - flights.length }) : "");
  };
  return { node, draw };
}

function drawFlight(node, flight) {
  if (!node.firstChild) node.append(...["model", "who", "phase", "numbers"].map((name) => h("div", { class: name })));
  const [model, who, phase, numbers] = node.children;
  say(model, flight.model);
  say(who, [flight.key, flight.account || flight.route, flight.protocol].filter(Boolean).join(" · "));
  if (phase.dataset.phase !== flight.phase) {
    phase.dataset.phase = flight.phase;
    const [kind, word] = PHASES[flight.phase] ?? ["idle", flight.phase];
    replace(phase, badge(kind, t(word)));
  }
  const rate = flight.tokens ? t(
    "{n} tokens, {rate}/s",
    { n: compact(flight.tokens), rate: compact(flight.tokens_per_s) },
  ) : "";
  const tries = flight.attempts > 1 ? t("{n} attempts", { n: flight.attempts }) : "";
  say(numbers, [rate, tries, whole(flight.age_s)].filter(Boolean).join(" · "));
}

function accounts() {
  const list = h("div", { class: "grid" });
  const nothing = empty(
    t("No account yet."),
    h("a", { class: "button primary", href: "#/accounts" }, t("Add an account")),
  );
  const node = h("section", { "aria-label": t("Accounts") }, h("h2", {}, t("Accounts")), list, nothing);
  const keyOf = (account) => account.id ?? `${account.provider}/${account.label}`;
  const draw = ({ accounts: rows }) => {
    const card = ({ label }) => h("article", { class: "card account", "aria-label": label });
    keep(list, rows, keyOf, card, drawAccount);
    nothing.hidden = rows.length > 0;
  };
  return { node, draw };
}

/** Drawn anew only when something of it has changed. */
function drawAccount(node, account) {
  const rests = account.rests ?? [];
  const { state, in_flight: running, requests, last_error: last, open_breakers: open } = account;
  const told = JSON.stringify([state, running, requests, last, open, rests.map((rest) => whole(rest.seconds_left))]);
  if (node.dataset.told === told) return;
  node.dataset.told = told;
  replace(
    node,
    accountHead(account, "h3"),
    h(
      "p",
      {},
      t("{n} in flight", { n: running }),
      " · ",
      requests === 1 ? t("1 request") : t("{n} requests", { n: compact(requests) }),
    ),
    rests.map(restLine),
    open?.length ? h("p", { class: "soft" }, t("Circuit open: {names}", { names: open.join(", ") })) : null,
    last ? h("p", { class: "soft" }, t("Last error: {kind}", { kind: errorWord(last) })) : null,
  );
}

function breakers() {
  const node = h("div", { class: "stack" });
  const draw = ({ breakers: rows = [] }) => {
    const told = rows.map((one) => (one.state === "open"
      ? t("{host} fails and is left alone for {time}.", { host: one.host, time: whole(one.seconds_left) })
      : t("{host} is being tried again.", { host: one.host })));
    if (node.dataset.told === told.join()) return;
    node.dataset.told = told.join();
    replace(node, told.map((text) => notice("warn", h("p", {}, text))));
  };
  return { node, draw };
}
