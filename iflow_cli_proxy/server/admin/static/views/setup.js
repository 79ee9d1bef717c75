// The first visit: the token from the terminal, and a password.

import { adopt, post } from "../api.js";
import { h } from "../dom.js";
import { blame, textField } from "../fields.js";
import { notice } from "../parts.js";
import { busy, toast } from "../toast.js";
import { t } from "../words.js";
import { showDoor } from "./door.js";
import { newPassword } from "./new_password.js";

let kept = "";

export function showSetup(page, redraw) {
  const brought = /^#setup=(.+)$/.exec(location.hash)?.[1];
  if (brought) {
    kept = decodeURIComponent(brought);
    history.replaceState(null, "", location.pathname); // out of the address bar and the history
  }
  const token = textField(
    t("Set-up token"),
    { name: "token", required: true, value: kept, autofocus: !kept },
    { help: t("It is in the address that the terminal shows; `iflow2api admin url` prints it again.") },
  );
  const password = newPassword(t("Choose a password"), { name: "password", autofocus: Boolean(kept) });
  const submit = h("button", { class: "primary", type: "submit" }, t("Set up and sign in"));
  const act = async (event) => {
    event.preventDefault();
    if (!password.isGood()) return;
    await busy(submit, async () => {
      try {
        const session = adopt(await post("setup", { token: token.input.value.trim(), password: password.value() }));
        kept = "";
        toast(t("The admin page is set up."));
        redraw(session);
      } catch (error) {
        token.node.hidden = false; // the one that came with the address may be an old one
        if (!blame(error, { token, password })) throw error;
      }
    });
  };
  if (kept) token.node.hidden = true;
  showDoor(
    page,
    redraw,
    t("Welcome"),
    h("p", {}, t("This gateway has no admin password yet. Choose one; only its hash is kept.")),
    kept && notice("ok", h("p", {}, t("The set-up token came with the address."))),
    h("form", { onsubmit: act, novalidate: true }, token.node, password.node, submit),
  );
}
