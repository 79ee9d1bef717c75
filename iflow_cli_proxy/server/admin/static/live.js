// The live state over one WebSocket, which comes back by itself; many listeners may share it.

import { adopt, get } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const SESSION_ENDED = 4401;
const SILENT_MS = 6000; // the server speaks every second

const listeners = { snapshot: new Set(), log: new Set(), state: new Set() };
let socket = null;
let waitMs = FIRST_WAIT_MS;
let timer = 0;
let isWanted = false;
let last = null;
let state = "connecting";

/** "connecting", "live" or "lost". */
export const connection = () => state;
export const lastSnapshot = () => last;

export function connect() {
  isWanted = true;
  if (!socket) open();
}

export function disconnect() {
  isWanted = false;
  clearTimeout(timer);
  socket?.close();
  socket = null;
  last = null;
}

/** Hear of every "snapshot", every batch of "log" lines, or every change of "state", until the signal. */
export function listen(kind, act, signal) {
  listeners[kind].add(act);
  if (kind === "log") subscribe();
  signal.addEventListener("abort", () => {
    listeners[kind].delete(act);
    if (kind === "log" && !listeners.log.size) tell({ unsubscribe: ["logs"] });
  });
}

function open() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/admin/ws`);
  const mine = socket;
  socket.onopen = () => {
    waitMs = FIRST_WAIT_MS;
    become("live");
    if (listeners.log.size) subscribe();
  };
  let patience = 0;
  const hearAgain = () => {
    clearTimeout(patience);
    patience = setTimeout(() => mine === socket && drop(mine), SILENT_MS);
  };
  hearAgain();
  socket.onmessage = ({ data }) => {
    hearAgain();
    const frame = JSON.parse(data);
    if (frame.type === "snapshot") last = frame;
    for (const act of listeners[frame.type] ?? []) act(frame);
  };
  socket.onclose = ({ code }) => {
    clearTimeout(patience);
    if (mine === socket) lost(code);
  };
}

/** A connection that has fallen silent may take minutes to say that it is gone. */
function drop(silent) {
  silent.onclose = null;
  silent.close();
  lost();
}

function lost(code) {
  socket = null;
  if (!isWanted) return;
  become("lost");
  if (code === SESSION_ENDED) get("live").catch(() => {}); // its 401 brings the sign-in
  timer = setTimeout(again, waitMs * (0.75 + Math.random() / 2));
  waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
}

async function again() {
  try {
    const session = adopt(await get("session"));
    if (!session.signed_in) await get("live"); // its 401 brings the sign-in
  } catch {
    // not back yet
  }
  if (isWanted && !socket) open();
}

function become(next) {
  if (next === state) return;
  state = next;
  for (const act of listeners.state) act(state);
}

const subscribe = () => tell({ subscribe: ["logs"] });

function tell(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}
