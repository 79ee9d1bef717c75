// The way in; after too many mistakes it says how long to wait.

import { adopt, post } from "../api.js";
import { CURTAIN, openDialog } from "../dialog.js";
import { h, prose } from "../dom.js";
import { textField } from "../fields.js";
import { whole } from "../format.js";
import { notice } from "../parts.js";
import { busy } from "../toast.js";
import { t } from "../words.js";
import { showDoor } from "./door.js";

export function showSignIn(page, redraw, reason = "") {
  showDoor(
    page,
    redraw,
    t("Sign in"),
    reason && notice("info", h("p", {}, reason)),
    passwordForm(redraw),
    h("p", { class: "soft" }, prose(t("Forgotten? `iflow2api admin password` in the terminal sets a new one."))),
  );
}

/** Over a page that holds something typed: it is there again for whoever signs in. `lost` when it was put away. */
export function signInAgain(reason, done, lost) {
  let session = null;
  const form = passwordForm((next) => {
    session = next;
    node.close();
  });
  const kept = h("p", { class: "soft" }, t("What you have typed is still there."));
  const whenClosed = () => (session ? done(session) : lost());
  const node = openDialog(t("Sign in"), [notice("info", h("p", {}, reason), kept), form], { kind: CURTAIN, whenClosed });
}

function passwordForm(done) {
  const password = textField(
    t("Password"),
    { type: "password", name: "password", autocomplete: "current-password", required: true, autofocus: true },
  );
  const submit = h("button", { class: "primary", type: "submit" }, t("Sign in"));
  const act = async (event) => {
    event.preventDefault();
    let waitS = 0;
    await busy(submit, async () => {
      try {
        done(adopt(await post("login", { password: password.input.value })));
      } catch (error) {
        if (![400, 401, 429].includes(error.status)) throw error;
        waitS = error.status === 429 ? Math.max(1, error.retryAfterS) : 0;
        password.wrong(error.message);
        password.input.select();
      }
    });
    if (waitS) countDown(waitS, password, submit);
  };
  return h("form", { onsubmit: act, novalidate: true }, password.node, submit);
}

/** Keep the button shut for so long, and say how long it still is. */
function countDown(seconds, password, submit) {
  const until = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    submit.disabled = left > 0;
    if (left <= 0 || !submit.isConnected) {
      password.wrong("");
      return;
    }
    password.wrong(t("Too many attempts. Try again in {time}.", { time: whole(left) }));
    setTimeout(tick, 1000);
  };
  tick();
}
