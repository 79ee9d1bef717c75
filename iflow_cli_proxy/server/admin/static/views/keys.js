// Client keys: who may call the gateway, with which limits, and what they have used.

import { get, post, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { h } from "../dom.js";
import { compact, distance, instant, money, number, when } from "../format.js";
import { icon } from "../icons.js";
import { empty, fetched, heading, stateBadge } from "../parts.js";
import { table } from "../table.js";
import { actButton, toast } from "../toast.js";
import { later, t } from "../words.js";
import { createKey, revealSecret } from "./key_form.js";

export const keysView = { title: later("Client keys"), show };

async function show(root, { signal }) {
  const list = h("div");
  const load = () => fetched(list, get("keys", { signal }), ({ keys }) => draw(keys, load));
  const create = () => h(
    "button",
    { class: "primary", onclick: () => createKey(load) },
    icon("plus"),
    t("Create a key"),
  );
  const nothing = t("No client key yet. Without one, only programs on this machine may call the gateway.");
  const draw = (keys) => (keys.length ? keyTable(keys, load) : empty(nothing, create()));
  root.append(heading(t("Client keys"), create()), list);
  await load();
}

function keyTable(keys, reload) {
  const columns = [
    { label: t("Name"), isMain: true, className: "named", cell: nameOf },
    { label: t("State"), cell: (key) => [stateBadge(key.state), expiry(key)] },
    { label: t("Limits"), cell: limits },
    { label: t("May use"), className: "named", cell: reach },
    { label: t("Today"), isNumber: true, cell: (key) => usedIn(key, "day") },
    { label: t("This month"), isNumber: true, cell: (key) => usedIn(key, "month") },
    { label: t("Actions"), className: "actions", cell: (key) => actions(key, reload) },
  ];
  return table(
    t("Client keys"),
    columns,
    keys,
    { className: "card", rowOf: (node, key) => (node.dataset.key = key.name) },
  );
}

const nameOf = (key) => [h("strong", {}, key.name), h("code", { class: "soft" }, key.masked)];

function expiry({ expires_at: at }) {
  if (!at) return null;
  const words = { when: distance(at) };
  const said = instant(at) > Date.now() ? t("expires {when}", words) : t("expired {when}", words);
  return h("span", { class: "soft under" }, when(at, said));
}

function limits(key) {
  const told = [
    key.rpm && t("{n} requests/min", { n: number(key.rpm) }),
    key.tpm && t("{n} tokens/min", { n: compact(key.tpm) }),
    key.concurrency && t("{n} at once", { n: number(key.concurrency) }),
    key.budget && budgetLine(key.budget),
  ].filter(Boolean);
  if (!told.length) return h("span", { class: "soft" }, t("no limit"));
  return h("ul", { class: "plain" }, told.map((line) => h("li", {}, line)));
}

function budgetLine({ amount, unit, per }) {
  const what = unit === "usd" ? money(amount) : t("{n} tokens", { n: compact(amount) });
  return per === "day" ? t("{what} a day", { what }) : t("{what} a month", { what });
}

function reach(key) {
  const told = [
    ...(key.models ?? []),
    ...(key.pool ? [t("pool {name}", { name: key.pool })] : []),
    ...(key.accounts ?? []),
  ];
  return told.length ? told.join(", ") : h("span", { class: "soft" }, t("everything"));
}

/** What it used, and beneath it how much of a budget for that time is gone. */
function usedIn(key, per) {
  const sums = per === "day" ? key.used?.today : key.used?.month;
  return key.budget?.per === per ? [used(sums), spent(key.budget, sums ?? {})] : used(sums);
}

function used(sums) {
  if (!sums?.requests) return "–";
  const price = money(sums.cost);
  const asked = sums.requests === 1 ? t("1 request") : t("{n} requests", { n: compact(sums.requests) });
  const words = [asked, t("{n} tokens", { n: compact(sums.tokens) }), price === "–" ? "" : price];
  return h("ul", { class: "plain" }, words.filter(Boolean).map((line) => h("li", {}, line)));
}

/** A meter with its words. */
function spent(budget, sums) {
  const gone = (budget.unit === "usd" ? sums.cost?.USD : sums.tokens) ?? 0;
  const share = Math.min(1, gone / budget.amount);
  const said = t("{percent} % of the budget", { percent: Math.round(share * 100) });
  const meter = h(
    "meter",
    { min: "0", max: "1", low: "0.75", high: "0.9", optimum: "0", value: share, "aria-label": said },
  );
  return h("div", { class: "spent" }, meter, h("span", { class: "soft" }, said));
}

function actions(key, reload) {
  if (key.origin === "auth.client_keys") return h("span", { class: "soft" }, t("from the configuration"));
  const path = `keys/${encodeURIComponent(key.name)}`;
  if (key.state === "revoked") return null;
  return h(
    "div",
    { class: "row end" },
    actButton(t("Rotate"), key.name, () => rotate(key, path, reload)),
    actButton(t("Revoke"), key.name, () => revoke(key, path, reload), "danger-quiet"),
  );
}

async function rotate(key, path, reload) {
  const asked = {
    title: t("Give {name} another secret?", { name: key.name }),
    text: t(
      "The old secret works for another hour, so that programs can be changed over. If it has leaked, revoke the key.",
    ),
    action: t("Rotate"),
    isDangerous: false,
  };
  if (!(await confirm(asked))) return;
  const { secret } = await post(`${path}/rotate`, { grace_s: 3600 });
  await reload();
  revealSecret(key.name, secret);
}

async function revoke(key, path, reload) {
  const asked = {
    title: t("Revoke {name}?", { name: key.name }),
    text: t("Whoever uses it is refused from now on. This cannot be taken back."),
    action: t("Revoke"),
  };
  if (!(await confirm(asked))) return;
  await remove(path);
  toast(t("{name} is revoked.", { name: key.name }));
  await reload();
}
