// The accounts the gateway works with, and the way to more of them.

import { get } from "../api.js";
import { h } from "../dom.js";
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
  const add = () => h("button", { class: "primary", onclick: () => addAccount(load) }, icon("plus"), t("Add an account"));
  const draw = (accounts) => (accounts.length ? accounts.map((account) => accountCard(account, load)) : empty(t("No account yet. Sign in at a provider, or bring an API key."), add()));
  root.append(heading(t("Accounts"), add()), list);
  await load();
  // States and countdowns go on; not while somebody is at a button, whose place would be lost.
  const timer = setInterval(() => !document.hidden && !list.contains(document.activeElement) && !document.querySelector("dialog[open]") && quietly(), EVERY_MS);
  const quietly = () => get("accounts", { signal }).then(({ accounts }) => list.replaceChildren(...[draw(accounts)].flat()), () => {});
  signal.addEventListener("abort", () => clearInterval(timer));
}
