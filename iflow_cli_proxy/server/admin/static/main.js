// The beginning: who is there, and what they may see.

import { adopt, get, whenSignedOut } from "./api.js";
import { closeDialogs, hasDialog } from "./dialog.js";
import { connect, disconnect } from "./live.js";
import * as router from "./router.js";
import { problem } from "./parts.js";
import { showShell } from "./shell.js";
import { followSystem } from "./theme.js";
import { showSetup } from "./views/setup.js";
import { showSignIn, signInAgain } from "./views/sign_in.js";
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

/** The session has ended by itself. What somebody has typed stays where it is, out of sight until they are back. */
function signedOut() {
  if (!session?.signed_in) return;
  const reason = t("Your session has ended. Sign in to go on.");
  const over = { ...session, signed_in: false };
  if (!router.isHeld() && !hasDialog()) return draw(over, reason);
  session = over;
  disconnect();
  const back = (next) => {
    session = next;
    connect();
  };
  return signInAgain(reason, back, () => draw(over, reason));
}

/** What is after the `#` belongs to the router, so the jump over the navigation is made here. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

async function begin() {
  await loadLanguage();
  whenSignedOut(signedOut);
  try {
    draw(adopt(await get("session")));
  } catch (error) {
    page.replaceChildren(problem(error));
    setTimeout(begin, RETRY_MS);
  }
}

document.querySelector(".skip").addEventListener("click", skip);
followSystem();
begin();
