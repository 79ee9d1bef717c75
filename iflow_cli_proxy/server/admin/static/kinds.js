// What went wrong, in a few words for each kind of error that the gateway knows; others are shown as they are written.

import { later, t } from "./words.js";

const KINDS = {
  invalid_request: later("invalid request"),
  unauthenticated: later("no valid key"),
  forbidden: later("not allowed"),
  unknown_model: later("unknown model"),
  not_found: later("not found"),
  too_large: later("too large"),
  context_overflow: later("prompt too long"),
  client_too_slow: later("client too slow"),
  client_gone: later("client left"),
  content_filtered: later("content filtered"),
  no_account: later("no account"),
  rate_limited: later("rate limited"),
  quota_exhausted: later("quota used up"),
  busy: later("all accounts busy"),
  draining: later("gateway stopping"),
  upstream_error: later("upstream error"),
  upstream_unreachable: later("upstream unreachable"),
  upstream_connect_timeout: later("upstream did not connect"),
  upstream_tls: later("upstream certificate"),
  upstream_connection_lost: later("upstream connection lost"),
  upstream_timeout: later("upstream too slow"),
  upstream_overloaded: later("upstream overloaded"),
  upstream_failing: later("upstream failing"),
  upstream_malformed: later("upstream answered nonsense"),
  upstream_empty: later("upstream answered nothing"),
  upstream_cut: later("answer cut off"),
  upstream_rejected: later("upstream refused it"),
  upstream_auth: later("upstream refused the credential"),
  internal: later("mistake of the gateway"),
};

export const errorWord = (kind) => (KINDS[kind] ? t(KINDS[kind]) : kind.replaceAll("_", " "));
