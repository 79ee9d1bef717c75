// Signing in at a provider: in another tab, by a code on any device, or by pasting what the provider's page shows.

import { get, post, remove } from "../api.js";
import { h, replace, safeAddress } from "../dom.js";
import { blame, textField } from "../fields.js";
import { whole } from "../format.js";
import { icon } from "../icons.js";
import { copyButton, notice, problem } from "../parts.js";
import { busy } from "../toast.js";
import { t } from "../words.js";

const POLL_MS = 1500;

/** By the browser; where the answer does not come back by itself, it is pasted. */
export function byBrowser(provider, done, signal) {
  const byItself = t("Sign in there; this window closes by itself.");
  const byHand = t("Sign in there, then paste the code or the whole address of the last page here.");
  return begun(t("Get the sign-in page"), "oauth/url", provider, signal, (flow) => [
    h("ol", { class: "steps" },
      h("li", {}, link(flow.url, t("Open the sign-in page"))),
      h("li", {}, flow.lands_here ? byItself : byHand)),
    paste(flow, flow.lands_here),
    waiting(flow, provider, done, signal),
  ]);
}

/** By a code that is typed on any device, or a picture for the telephone. */
export function byDevice(provider, done, signal) {
  return begun(t("Get a code"), "oauth/device", provider, signal, (flow) => {
    const address = safeAddress(flow.verification_uri_complete || flow.verification_uri);
    const code = h("output", { class: "code", id: "user-code" }, flow.user_code);
    return [
      h("div", { class: "device" },
        h("div", { class: "stack" },
          h("p", {}, t("Open this page on any device and enter the code:")),
          link(flow.verification_uri_complete || flow.verification_uri, flow.verification_uri),
          h("p", { class: "row" }, code, copyButton(flow.user_code))),
        flow.qr_svg && address && picture(flow.qr_svg)),
      waiting(flow, provider, done, signal),
    ];
  });
}

function picture(drawing) {
  const src = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
  return h("img", { class: "qr", alt: t("QR code of the page"), src });
}

/** A button that begins a flow, and what comes of it in its place. The label of the account is asked for first. */
function begun(text, path, provider, signal, draw) {
  const place = h("div", { class: "stack" });
  const label = textField(
    t("Name"),
    { name: "label", maxlength: 64, placeholder: t("as the provider calls you") },
    { help: t("How the account is called here; may stay empty.") },
  );
  const button = h("button", { class: "primary", type: "submit" }, text);
  const act = (event) => {
    event.preventDefault();
    return busy(button, async () => {
      const asked = { provider: provider.name };
      if (label.input.value.trim()) asked.label = label.input.value.trim();
      try {
        const flow = await post(path, asked, { signal });
        replace(place, draw(flow));
      } catch (error) {
        if (!blame(error, { label })) throw error;
      }
    });
  };
  replace(place, h("form", { onsubmit: act }, label.node, h("footer", { class: "row end" }, button)));
  return place;
}

function link(address, text) {
  const target = safeAddress(address);
  if (!target) return notice("bad", h("p", {}, t("The provider gave no address that may be opened.")));
  return h(
    "a",
    { class: "button secondary", href: target, target: "_blank", rel: "noopener noreferrer" },
    icon("external"),
    text,
  );
}

function paste(flow, isSpare) {
  const text = textField(t("Code or address"), { name: "paste", required: true });
  const button = h("button", { class: "secondary", type: "submit" }, t("Use it"));
  const act = (event) => {
    event.preventDefault();
    return busy(button, async () => {
      try {
        await post("oauth/paste", { flow: flow.flow, text: text.input.value.trim() });
      } catch (error) {
        text.wrong([error.message, error.hint].filter(Boolean).join(" "));
      }
    });
  };
  const form = h("form", { onsubmit: act, class: "joined" }, text.node, button);
  return isSpare ? h("details", {}, h("summary", {}, t("It did not come back? Paste it here")), form) : form;
}

/** Asks how the flow goes until it ends; gives it up when the window is closed before. */
function waiting(flow, provider, done, signal) {
  const endsAt = Date.now() + flow.expires_in_s * 1000;
  const line = h("p", { class: "waiting soft" });
  const node = h("div", {}, line); // the countdown is not read out; a failure is, being an alert
  let isOver = false;
  const path = `oauth/flows/${encodeURIComponent(flow.flow)}`;
  const tick = async () => {
    if (signal.aborted) return;
    const time = whole((endsAt - Date.now()) / 1000);
    line.textContent = t(
      "Waiting for you at {provider}; {time} left.",
      { provider: provider.title || provider.name, time },
    );
    try {
      const now = await get(path, { signal });
      if (now.state !== "waiting") isOver = true;
      if (now.state === "done") {
        done(now.account?.label);
        return;
      }
      if (now.state === "failed") {
        replace(node, problem(now.error ?? { message: t("The sign-in did not work.") }));
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404) {
        isOver = true;
        const hint = t("Close this window and begin again.");
        replace(node, problem({ message: t("This sign-in has ended."), hint }));
        return;
      }
    }
    setTimeout(tick, POLL_MS);
  };
  signal.addEventListener("abort", () => !isOver && remove(path).catch(() => {}));
  tick();
  return node;
}
