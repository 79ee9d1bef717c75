// What went over the wire on both sides: heads, and bodies where they are recorded.

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { copyButton, notice } from "../parts.js";
import { t } from "../words.js";

export function messages(flight) {
  const pairs = [
    [t("The client asked"), flight.client_request],
    ...numbered(t("We asked upstream"), flight.upstream_request),
    ...numbered(t("The upstream answered"), flight.upstream_reply),
    [t("The client got"), flight.client_reply],
  ].filter(([, message]) => message);
  if (!pairs.length) return null;
  const hasBodies = pairs.some(([, message]) => message.body !== null && message.body !== undefined);
  const why = h("p", {}, t("Bodies are not recorded unless the recorder's setting for contents is on."));
  return h(
    "section",
    { class: "card", "aria-label": t("On the wire") },
    h("h2", {}, t("On the wire")),
    !hasBodies && notice("info", why),
    pairs.map(([title, message]) => one(title, message)),
  );
}

const numbered = (title, list) => (list ?? []).map((message, index) =>
  [list.length > 1 ? `${title} (${index + 1})` : title, message],
);

function one(title, message) {
  const head = [
    message.method,
    message.path ?? message.url,
    message.status,
    message.bytes === undefined ? "" : bytes(message.bytes),
  ].filter(Boolean).join(" · ");
  return h(
    "details",
    {},
    h("summary", {}, h("span", {}, title), " ", h("span", { class: "soft" }, head)),
    h("pre", { class: "code", tabindex: "0", "aria-label": t("Headers") }, headers(message.headers)),
    message.fields?.length ? h(
      "p",
      { class: "soft wrap" },
      t("Fields: {names}", { names: message.fields.join(", ") }),
    ) : null,
    body(message),
  );
}

function headers(given) {
  const pairs = Array.isArray(given) ? given : Object.entries(given ?? {});
  return pairs.map(([name, value]) => `${name}: ${value}`).join("\n") || t("(no headers)");
}

function body({ body: text, cut }) {
  if (text === null || text === undefined) return null;
  return [
    h(
      "p",
      { class: "row spread" },
      h("span", { class: "soft" }, cut ? t("Body, cut off") : t("Body")),
      copyButton(text),
    ),
    h("pre", { class: "code tall", tabindex: "0", "aria-label": t("Body") }, indented(text)),
  ];
}

/** JSON with line breaks; everything else as it came. */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
