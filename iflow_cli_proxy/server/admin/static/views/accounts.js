// The accounts the gateway works with, and the way to more of them.

import { get } from "../api.js";
import { hasDialog } from "../dialog.js";
import { h, renew } from "../dom.js";
import { icon } from "../icons.js";
import { empty, fetched, heading } from "../parts.js";
import { later, t } from "../words.js";
import { accountCard } from "./account_rows.js";
import { addAccount } from "./add_account.js";

const EVERY_MS = 5000;

export const accountsView = { title: later("Accounts"), show };

async function show(root, { signal }) {
  const list = h("div", { class: "grid wide" });
  const load = () => fetched(list, get("accounts", { signal }), ({ accounts }) => draw(accounts, load));
  const add = () => h(
    "button",
    { class: "primary", onclick: () => addAccount(load) },
    icon("plus"),
    t("Add an account"),
  );
  const nothing = () => empty(t("No account yet. Sign in at a provider, or bring an API key."), add());
  const draw = (accounts) => (accounts.length ? accounts.map((account) => accountCard(account, load)) : nothing());
  root.append(heading(t("Accounts"), add()), list);
  await load();
  // States and countdowns go on; not under a pointer that is down, nor under words that are being copied.
  const isInUse = () => document.hidden || list.matches(":active") || hasDialog() || !getSelection().isCollapsed;
  const redraw = ({ accounts }) => isInUse() || renew(list, draw(accounts));
  const timer = setInterval(() => isInUse() || get("accounts", { signal }).then(redraw, () => {}), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
