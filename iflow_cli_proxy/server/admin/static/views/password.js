// Another password: it ends every other session.

import { adopt, post } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { blame, textField } from "../fields.js";
import { busy, toast } from "../toast.js";
import { t } from "../words.js";
import { newPassword } from "./new_password.js";

export function changePassword() {
  const current = textField(
    t("Current password"),
    { type: "password", name: "current", autocomplete: "current-password", required: true, autofocus: true },
  );
  const next = newPassword(t("New password"), { name: "new" });
  const submit = h("button", { class: "primary", type: "submit" }, t("Change password"));
  const act = async (event) => {
    event.preventDefault();
    if (!next.isGood()) return;
    await busy(submit, async () => {
      try {
        adopt(await post("password", { current: current.input.value, new: next.value() }));
        node.close();
        toast(t("The password is changed; every other session has ended."));
      } catch (error) {
        if (error.kind === "wrong_password") current.wrong(error.message);
        else if (!blame(error, { current, new: next })) throw error;
      }
    });
  };
  const form = h(
    "form",
    { onsubmit: act, novalidate: true },
    current.node,
    next.node,
    h("footer", { class: "row end" }, submit),
  );
  const node = openDialog(t("Change password"), form);
}
