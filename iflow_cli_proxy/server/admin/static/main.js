// The beginning: who is there, and what they may see.

import { adopt, get, whenSignedOut } from "./api.js";
import { closeDialogs } from "./dialog.js";
import { disconnect } from "./live.js";
import * as router from "./router.js";
import { problem } from "./parts.js";
import { showShell } from "./shell.js";
import { showSetup } from "./views/setup.js";
import { showSignIn } from "./views/sign_in.js";
import { loadLanguage, t } from "./words.js";

const page = document.getElementById("page");
const RETRY_MS = 3000;

let session = null;
let hasBegun = false;

/** Draw what this session may see; called again after signing in, signing out and changing the language. */
export function draw(next = session, reason = "") {
  session = next;
  router.stop();
  closeDialogs();
  if (session.signed_in) showShell(page, session, draw, { takesFocus: hasBegun });
  else {
    disconnect();
    if (session.setup_needed) showSetup(page, draw);
    else showSignIn(page, draw, reason);
  }
  hasBegun = true;
}

/** What is after the `#` belongs to the router, so the jump over the navigation is made here. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

async function begin() {
  await loadLanguage();
  whenSignedOut(() => {
    if (session?.signed_in) draw({ ...session, signed_in: false }, t("Your session has ended. Sign in to go on."));
  });
  try {
    draw(adopt(await get("session")));
  } catch (error) {
    page.replaceChildren(problem(error));
    setTimeout(begin, RETRY_MS);
  }
}

document.querySelector(".skip").addEventListener("click", skip);
begin();
