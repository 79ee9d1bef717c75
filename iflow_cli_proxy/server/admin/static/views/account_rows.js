// One account, as the list shows it: how it fares, what it did today, and what can be done with it.

import { post, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { h, prose } from "../dom.js";
import { compact, distance, money, when, whole } from "../format.js";
import { icon } from "../icons.js";
import { errorWord } from "../kinds.js";
import { facts, stateBadge } from "../parts.js";
import { actButton, toast } from "../toast.js";
import { later, t } from "../words.js";

const REASONS = {
  rate: later("Rate limit"),
  quota: later("Quota used up"),
  failing: later("Failing"),
  forbidden: later("Refused by the provider"),
  blocked: later("Blocked by the provider"),
};
const ORIGINS = {
  ours: later("kept here"),
  live: later("another program's file"),
  variable: later("environment or configuration"),
  config: later("configuration"),
};
const TYPES = { oauth: later("sign-in"), api_key: later("API key") };

/** Why it rests and for how long. */
export function restLine(rest) {
  const why = t(REASONS[rest.reason] ?? rest.reason.replaceAll("_", " "));
  const what = rest.model ? `${why} (${rest.model})` : why;
  const left = rest.seconds_left > 0 ? t("{time} left", { time: whole(rest.seconds_left) }) : t("ends now");
  const detail = rest.detail ? h("span", { class: "soft" }, ` · ${rest.detail}`) : null;
  return h("p", { class: "rest" }, icon("clock"), h("span", {}, h("strong", {}, what), ` · ${left}`, detail));
}

/** Its name, provider and state. */
export function accountHead(account, tag) {
  const name = h("div", {}, h(tag, {}, account.label || account.provider), h("p", { class: "soft" }, account.provider));
  return h("header", { class: "row spread" }, name, stateBadge(account.state));
}

/** The card of one account; `reload` is called after every change. */
export function accountCard(account, reload) {
  const today = account.today ?? {};
  const rests = account.rests ?? [];
  return h(
    "article",
    { class: "card account", "data-key": account.id ?? account.label, "aria-label": account.label },
    accountHead(account, "h2"),
    rests.map((rest) => [restLine(rest), rest.next_step && h("p", { class: "soft next" }, prose(rest.next_step))]),
    facts([
      [t("Today"), todayLine(today)],
      [t("Credential"), h("code", {}, account.credential || "–")],
      [t("Kind"), account.auth_type && t(TYPES[account.auth_type] ?? account.auth_type.replaceAll("_", " "))],
      [t("Kept in"), t(ORIGINS[account.origin] ?? account.origin ?? "")],
      [t("Expires"), account.expires_at ? when(account.expires_at, distance(account.expires_at)) : t("never")],
      [t("Running"), compact(account.in_flight)],
      [t("Failures in a row"), account.failures_in_a_row || null],
      [t("Last error"), account.last_error && errorWord(account.last_error)],
    ]),
    actions(account, reload),
  );
}

function todayLine({ requests = 0, errors = 0, tokens = 0, cost }) {
  const asked = requests === 1 ? t("1 request") : t("{n} requests", { n: compact(requests) });
  const failed = errors ? t("{n} failed", { n: compact(errors) }) : "";
  const price = money(cost);
  return [
    asked,
    failed,
    t("{n} tokens", { n: compact(tokens) }),
    price === "–" ? "" : price,
  ].filter(Boolean).join(" · ");
}

function actions(account, reload) {
  if (!account.id) {
    return h(
      "p",
      { class: "soft" },
      prose(t("Its id serves as a client key and is not shown; `iflow2api token` manages it.")),
    );
  }
  const path = `accounts/${encodeURIComponent(account.id)}`;
  const button = (text, act, kind = "secondary") => actButton(text, account.label, act, kind);
  const doing = (what, said) => async () => {
    await post(`${path}/${what}`);
    toast(said);
    await reload();
  };
  const isOff = account.state === "disabled";
  return h(
    "footer",
    { class: "row" },
    isOff && button(t("Enable"), doing("enable", t("{label} is enabled.", account))),
    !isOff && button(t("Disable"), doing("disable", t("{label} is disabled.", account))),
    button(t("Reset"), doing("reset", t("{label} starts afresh.", account))),
    account.can_refresh && button(t("Refresh"), doing("refresh", t("{label} has a new token.", account))),
    account.origin === "ours" && button(t("Delete"), () => deleteIt(account, path, reload), "danger-quiet"),
  );
}

async function deleteIt(account, path, reload) {
  const asked = {
    title: t("Delete {label}?", account),
    text: t("Its credential is removed from this machine. Requests that are running on it go on to their end."),
    action: t("Delete"),
  };
  if (!(await confirm(asked))) return;
  await remove(path);
  toast(t("{label} is deleted.", account));
  await reload();
}
