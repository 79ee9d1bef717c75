"""The flight recorder of a running server: when a flight begins, and what of it is written down, in which shape.

The document is the answer of `iflow2api explain --json` under `flight`. Everything in it is masked here. Words are
found when it is written, in the ledger's thread, and not while a request runs.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from aiohttp import web

from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.secret import hide
from iflow_cli_proxy.gateway.flight import GAP_LIMITS_S, Flight, FlownAttempt, Said, Tape, begun
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.telemetry.masking import credentials_in, shown_body, shown_headers, shown_query, shown_url
from iflow_cli_proxy.telemetry.redact import redact

_MOST_FIELDS: Final = 100
_LONGEST_NAME: Final = 100
_FEW_FIELDS: Final = 32
_MOST_NOTES: Final = 200
_GAP_CLASSES: Final = (*GAP_LIMITS_S, "inf")
_GOOD: Final = Said(kind="")
_SHORT: Final = 100
"""Characters of words that are likely to have been said before."""
_HELD_BESIDE: Final = 8192
"""Bytes of memory: headers and the like."""


def begin_flight(request: web.Request, settings: Settings) -> Flight | None:
    """None where the recorder, or the ledger it writes to, is switched off, and no bodies are logged either."""
    chosen, log = settings.recorder, settings.logging
    is_for_ledger, is_for_log = chosen.enabled and settings.ledger.enabled, log.level == "debug" and bool(log.bodies)
    if not is_for_ledger and not is_for_log:
        return None
    room_bytes = chosen.max_body_bytes if chosen.contents or is_for_log else 0
    flight = begun(request.method, request.path, request.query, request.headers, room_bytes=room_bytes)
    flight.is_for_ledger, flight.has_bodies, flight.is_for_log = is_for_ledger, chosen.contents, is_for_log
    return flight


class Untold:
    """A flight that has ended and waits to be written down."""

    __slots__ = ("_exchange", "_flight", "_has_bodies", "held_bytes")

    def __init__(self, exchange: Exchange, flight: Flight, *, has_bodies: bool = False) -> None:
        """`has_bodies`: whether those that were kept are told."""
        self._exchange = exchange
        self._flight = flight
        self._has_bodies = has_bodies
        self.held_bytes = _HELD_BESIDE + flight.held_bytes

    def __call__(self) -> bytes:
        """Never raises: what a stranger sent must not cost the ledger its rows."""
        try:
            return jsonx.encode(document(self._exchange, self._flight, has_bodies=self._has_bodies))
        except Exception as error:
            return jsonx.encode({"broken": type(error).__name__})


def document(exchange: Exchange, flight: Flight, *, has_bodies: bool) -> dict[str, Json]:
    """Everything that is kept of a flight."""
    has_bodies = has_bodies and bool(flight.room_bytes)
    shown = _Shown(exchange.started_at, has_bodies=has_bodies, secrets=_secrets_of(flight))
    heard = next((one.heard for one in reversed(flight.attempts) if one.heard is not None), None)
    return {
        "route": shown.route(exchange, flight),
        "attempts": [shown.attempt(number, one) for number, one in enumerate(flight.attempts, 1)],
        "notes": shown.notes(exchange, flight),
        "repairs": exchange.repairs,
        "error": shown.error(exchange, flight),
        "client_request": {
            "method": flight.method,
            "path": shown.text(flight.path[:500]),
            "query": shown_query(flight.query) if flight.query else {},
            "headers": shown_headers(flight.headers),
            **shown.body(flight.asked, flight.fields),
        },
        "upstream_request": [shown.upstream_request(one) for one in flight.attempts],
        "upstream_reply": [shown.upstream_reply(one) for one in flight.attempts],
        "client_reply": {
            "status": flight.answer_status or None,
            "headers": shown_headers(flight.answer_headers),
            **shown.body(flight.answered),
        },
        "gaps": None
        if heard is None
        else {
            "chunks": heard.chunks,
            "longest_s": round(heard.longest_gap_s, 4),
            "buckets": [[limit, count] for limit, count in zip(_GAP_CLASSES, heard.gaps, strict=True)],
        },
    }


class _Shown:
    """How attempts and bodies of one flight are shown."""

    def __init__(self, started_at: float, *, has_bodies: bool, secrets: tuple[str, ...]) -> None:
        self._started_at = started_at
        self._has_bodies = has_bodies
        self._secrets = secrets

    def attempt(self, number: int, one: FlownAttempt) -> dict[str, Json]:
        ending = one.ending or _GOOD
        return {
            "n": number,
            "account": one.account,
            "route": self.text(str(one.route)),
            "url": shown_url(one.request.url) if one.request is not None else None,
            "status": one.heard.status if one.heard is not None else None,
            "error_kind": ending.kind,
            "message": self.text(ending.message),
            "detail": self.text(ending.detail),
            "started_s": self._since(one.started_at),
            "headers_s": self._since(one.headers_at),
            "first_content_s": self._since(one.content_at),
            "ended_s": self._since(one.ended_at),
            "retry": self.text(one.why_another),
        }

    def upstream_request(self, one: FlownAttempt) -> dict[str, Json] | None:
        request = one.request
        if request is None:
            return None
        return {
            "method": request.method,
            "url": shown_url(request.url),
            "protocol": one.protocol,
            "headers": shown_headers(request.headers),
            **self.body(one.sent, request.fields),
        }

    def upstream_reply(self, one: FlownAttempt) -> dict[str, Json] | None:
        heard = one.heard
        if heard is None:
            return None
        return {"status": heard.status, "headers": shown_headers(heard.headers), **self.body(one.received)}

    def body(self, tape: Tape, fields: Collection[str] = ()) -> dict[str, Json]:
        kept = tape.kept
        is_cut = len(kept) < tape.size_bytes
        names = tuple(fields) or (() if is_cut else _fields_of(kept))
        shown = shown_body(kept, self._secrets, is_cut=is_cut) if self._has_bodies else None
        return {
            "bytes": tape.size_bytes,
            "fields": self._names(names),
            "body": shown,
            "cut": is_cut and self._has_bodies,
        }

    def _names(self, names: tuple[str, ...]) -> list[str]:
        if len(names) > _FEW_FIELDS:
            names = names[:_MOST_FIELDS]
        is_short = len(names) <= _FEW_FIELDS and max(map(len, names), default=0) <= _LONGEST_NAME
        return [*(_names_again if is_short else _names_shown)(names, self._secrets)]

    def _since(self, at: float | None) -> float | None:
        return None if at is None else round(at - self._started_at, 4)

    def route(self, exchange: Exchange, flight: Flight) -> dict[str, Json]:
        taken = flight.route
        return {
            "asked": self.text(exchange.asked),
            "alias": self.text(taken.alias_of) or None,
            "routes": [self.text(str(route)) for route in taken.routes],
            "strategy": taken.strategy,
            "session": taken.has_session,
            "notes": [self.text(words) for words in (*taken.steps, *flight.remarks)],
        }

    def notes(self, exchange: Exchange, flight: Flight) -> list[dict[str, Json]]:
        """What became of the request on its way: mended, left out, said differently."""
        notes = [*flight.repairs, *(note for note in exchange.notes if note not in flight.repairs)]
        if exchange.described:
            notes.append(Note("messages", f"images were described: {exchange.described}"))
        if flight.shortening:
            notes.append(Note("messages", f"shortened: {flight.shortening}"))
        return [{"path": self.text(note.path), "what": self.text(note.what)} for note in notes[:_MOST_NOTES]]

    def error(self, exchange: Exchange, flight: Flight) -> dict[str, Json] | None:
        """What the client was told, or would have been had it stayed; None when all was well."""
        if not exchange.error_kind:
            return None
        last = flight.attempts[-1].ending if flight.attempts else None
        said = flight.error or last or _GOOD
        return {"kind": exchange.error_kind, "message": self.text(said.message), "hint": self.text(said.hint)}

    def text(self, words: str) -> str:
        """Words that may repeat what somebody sent."""
        if not words:
            return ""
        return (_shown_again if len(words) <= _SHORT else _shown)(words, self._secrets)


def _shown(words: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        words = hide(words, secret)
    return redact(words)


def _names_shown(names: tuple[str, ...], secrets: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_shown(name[:_LONGEST_NAME], secrets) for name in names)


_shown_again: Final = lru_cache(maxsize=2048)(_shown)
_names_again: Final = lru_cache(maxsize=512)(_names_shown)
"""Most requests are like the one before, and asked with the same key."""


def _secrets_of(flight: Flight) -> tuple[str, ...]:
    upstream = [one.request.headers for one in flight.attempts if one.request is not None]
    return credentials_in(flight.headers, flight.query, *upstream)


def _fields_of(body: bytes) -> tuple[str, ...]:
    try:
        return tuple(jsonx.raw_fields(body)) if body.startswith(b"{") else ()
    except JsonError:
        return ()
