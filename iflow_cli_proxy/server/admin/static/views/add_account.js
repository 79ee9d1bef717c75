// Adding an account: the provider, then the way to sign in there.

import { get, post } from "../api.js";
import { openDialog } from "../dialog.js";
import { h, prose, replace, safeAddress } from "../dom.js";
import { blame, choices, selectField, textField } from "../fields.js";
import { fetched, notice } from "../parts.js";
import { busy, toast } from "../toast.js";
import { later, t } from "../words.js";
import { byBrowser, byDevice } from "./account_sign_in.js";

const METHODS = {
  device: later("Device code"),
  browser: later("Browser"),
  paste: later("Paste a code"),
  api_key: later("API key"),
};
const ORDER = ["browser", "device", "paste", "api_key"];

export function addAccount(reload) {
  const ends = new AbortController();
  const content = h("div", { class: "stack" });
  const dialog = openDialog(t("Add an account"), content, { whenClosed: () => ends.abort() });
  const done = (label) => {
    dialog.close();
    toast(label ? t("{label} is ready.", { label }) : t("The account is ready."));
    reload();
  };
  fetched(content, get("providers", { signal: ends.signal }), ({ providers }) => form(providers, done, ends.signal));
}

function form(providers, done, signal) {
  const ways = h("div", { class: "stack" });
  const usable = providers.filter((provider) => provider.methods.length);
  const names = usable.map((provider) =>
    [provider.name, provider.title ? `${provider.title} (${provider.name})` : provider.name],
  );
  const pick = () => replace(ways, method(usable.find((one) => one.name === provider.input.value), done, signal));
  const provider = selectField(t("Provider"), names, { value: usable[0]?.name, onchange: pick });
  provider.input.name = "provider";
  if (!usable.length) return notice(
    "info",
    h("p", {}, prose(t("No provider is configured. `iflow2api upstream add` adds one."))),
  );
  pick();
  return [provider.node, ways];
}

function method(provider, done, signal) {
  const methods = ORDER.filter((name) => provider.methods.includes(name));
  const place = h("div", { class: "stack" });
  let leave = new AbortController();
  const pick = (name) => {
    leave.abort();
    leave = new AbortController();
    signal.addEventListener("abort", () => leave.abort());
    const way = { api_key: byKey, device: byDevice }[name] ?? byBrowser;
    replace(place, way(provider, done, leave.signal));
  };
  pick(methods[0]);
  return [
    provider.notice && notice("warn", h("p", {}, prose(provider.notice))),
    methods.length > 1 && choices(
      t("Way to sign in"),
      methods.map((name) => [name, t(METHODS[name])]),
      methods[0],
      pick,
    ),
    place,
  ];
}

function byKey(provider, done) {
  const fields = keyFields(provider);
  const submit = h("button", { class: "primary", type: "submit" }, t("Add the account"));
  const act = (event) => {
    event.preventDefault();
    const written = Object.entries(fields).map(([name, one]) => [name, one.input.value.trim()]);
    const values = { provider: provider.name, ...Object.fromEntries(written.filter(([, value]) => value)) };
    return busy(submit, async () => {
      try {
        const { account } = await post("accounts", values);
        done(account?.label);
      } catch (error) {
        if (!blame(error, fields)) throw error;
      }
    });
  };
  return h(
    "form",
    { onsubmit: act },
    linkToKeys(provider),
    Object.values(fields).map((one) => one.node),
    h("footer", { class: "row end" }, submit),
  );
}

function linkToKeys(provider) {
  const href = safeAddress(provider.key_page ?? "");
  if (!href) return null;
  const link = { href, target: "_blank", rel: "noopener noreferrer" };
  return h("p", {}, h("a", link, t("Where this provider gives out keys")));
}

function keyFields(provider) {
  return {
    label: textField(
      t("Name"),
      { name: "label", required: true, maxlength: 64, placeholder: "work" },
      { help: t("How the account is called here.") },
    ),
    api_key: textField(
      t("API key"),
      { name: "api_key", type: "password", required: true, autocomplete: "off" },
      { help: t("It is kept on the gateway's machine and shown masked from now on.") },
    ),
    base_url: textField(
      t("Address"),
      { name: "base_url", type: "url", placeholder: provider.base_url },
      { help: t("Only when it differs from the provider's own.") },
    ),
  };
}
