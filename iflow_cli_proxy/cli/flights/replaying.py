"""A recorded request asked again and held against what came of it then. Imported only by `replay`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.cli.addressing import client_key, gateway_url
from iflow_cli_proxy.cli.flights.again import Answer, Question, question_from, send
from iflow_cli_proxy.cli.flights.finding import found
from iflow_cli_proxy.cli.flights.meaning import Said, differences, said
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.ids import request_id
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.state.flight_queries import TABLES, Found, find
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.telemetry.masking import shown_body

_WRITTEN_WITHIN_S: Final = 3.0
"""The ledger takes 0.2 s."""
_PERHAPS_WITHIN_S: Final = 1.0
"""An address may be that of the gateway here; one elsewhere writes to no ledger that is seen."""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """Both answers."""

    then: Found
    said_then: Said
    request_id: str
    said_now: Said
    is_recorded: bool
    """The second exchange was found in the ledger: more is known of it than its answer."""
    is_masked: bool
    """What was sent differs from what was sent then, for it held secrets."""

    @property
    def differences(self) -> list[str]:
        return differences(self.said_then, self.said_now)

    def as_json(self) -> dict[str, Json]:
        return {
            "id": self.then.row.request_id,
            "replayed_as": self.request_id,
            "same": not self.differences,
            "differences": self.differences,
            "secrets_masked": self.is_masked,
            "then": self.said_then.as_json(),
            "now": self.said_now.as_json(),
        }


def replayed(session: Session, wanted: str, *, to: str = "", url: str = "") -> Replayed:
    """Send it to the running gateway.

    Raises:
        GatewayError: there is no such request, its body was not kept, or no gateway runs.
    """
    then = found(session, wanted)
    if then.flight is None or "broken" in then.flight:
        raise ConfigError(
            f"Of {then.row.request_id} only the row in the ledger is kept.",
            hint="`iflow2api config set recorder.contents true`, then ask again",
        )
    question = question_from(then.flight, to)
    settings, _ = session.load()
    name = request_id(secrets.token_bytes)
    answer = send(question, gateway_url(settings, url), client_key(settings, session.environ), name)
    now = _recorded(session, name, _PERHAPS_WITHIN_S if url else _WRITTEN_WITHIN_S)
    reply = then.flight["client_reply"]
    kept = None if reply["body"] is None or reply["cut"] else reply["body"].encode()
    row = now.row if now is not None else _seen(then.row, answer, name)
    return Replayed(
        then=then,
        said_then=said(then.row, then.flight, kept),
        request_id=name,
        said_now=said(row, now.flight if now is not None else None, shown_body(answer.body).encode()),
        is_recorded=now is not None,
        is_masked=not to and _is_masked(then.flight, question),
    )


def _recorded(session: Session, name: str, within_s: float) -> Found | None:
    """What the gateway noted of it, once it has."""
    ends_at = time.monotonic() + within_s
    while time.monotonic() < ends_at:
        connection = open_reader(session.paths().ledger_file, oldest=TABLES)
        if connection is None:
            return None
        with closing(connection):
            if (one := find(connection, name)) is not None:
                return one
        time.sleep(0.05)
    return None


def _seen(then: Row, answer: Answer, name: str) -> Row:
    """What can be told of an exchange from its answer alone."""
    provider, _, model = answer.headers.get("x-iflow2api-route", "").partition("/")
    return Row(
        request_id=name,
        at=0.0,
        account=answer.headers.get("x-iflow2api-account", ""),
        provider=provider,
        model_served=model,
        protocol=then.protocol,
        is_stream=then.is_stream,
        status=answer.status,
        is_estimated=True,
        first_byte_s=answer.first_byte_s,
        duration_s=answer.duration_s,
    )


def _is_masked(flight: Mapping[str, Any], question: Question) -> bool:
    sent: int = flight["client_request"]["bytes"]
    return len(question.body) != sent
