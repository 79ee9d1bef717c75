// The attempts of one request over time: waiting for an account, for headers, for the first content, and the answer.

import { h, svg } from "./dom.js";
import { span } from "./format.js";
import { errorWord } from "./kinds.js";
import { t } from "./words.js";

const SEEN = 0.004;

/** A bar for each attempt; what it shows stands in words beside it. */
export function timeline(attempts, durationS) {
  const end = Math.max(durationS ?? 0, ...attempts.map((attempt) => attempt.ended_s ?? attempt.started_s ?? 0), 0.001);
  return h(
    "div",
    { class: "timeline" },
    h("ol", {}, attempts.map((attempt, index) => line(attempt, attempts[index - 1]?.ended_s ?? 0, end))),
    h(
      "div",
      { class: "axis", "aria-hidden": "true" },
      [0, 0.25, 0.5, 0.75, 1].map((share) => h("span", {}, share ? span(end * share) : "0")),
    ),
    h(
      "ul",
      { class: "legend" },
      key("queued", t("until it was sent")),
      key("connecting", t("until headers")),
      key("waiting", t("until the first content")),
      key("streaming", t("answer")),
    ),
  );
}

/** `before` is when the one before it ended: since then it was waited for an account, or for the next try. */
function line(attempt, before, end) {
  const started = attempt.started_s ?? 0;
  const ended = attempt.ended_s ?? end;
  const headers = attempt.headers_s ?? ended;
  const content = attempt.first_content_s ?? ended;
  const pieces = [
    ["queued", before, started],
    ["connecting", started, headers],
    ["waiting", headers, content],
    ["streaming", content, ended],
  ];
  const bar = ([kind, from, to]) => {
    const width = share(Math.max(to - from, end * SEEN), end); // as wide as can be seen
    return to > from && svg("rect", { class: kind, x: share(from, end), width, height: "100%" });
  };
  const words = [
    `${attempt.n ?? ""} ${attempt.account || ""}`.trim(),
    attempt.route,
    attempt.status ? String(attempt.status) : null,
    attempt.error_kind && errorWord(attempt.error_kind),
    span(ended - started),
  ];
  return h(
    "li",
    { class: attempt.error_kind ? "failed" : "" },
    h("span", { class: "name" }, words.filter(Boolean).join(" · ")),
    svg("svg", { "aria-hidden": "true" }, pieces.map(bar)),
  );
}

const share = (seconds, end) => `${Math.max(0, Math.min(100, (seconds / end) * 100)).toFixed(2)}%`;

function key(kind, text) {
  const square = svg("rect", { class: kind, width: 10, height: 10, rx: 3 });
  return h("li", {}, svg("svg", { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" }, square), text);
}
