"""A saved recording replayed against the settings of today, without sending anything. Imported only by `align`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.cli.flights.again import question_from
from iflow_cli_proxy.cli.flights.aligning import DYNAMIC_FIELDS, DYNAMIC_HEADERS, Difference, differences
from iflow_cli_proxy.cli.flights.golden import read_golden
from iflow_cli_proxy.cli.output import print_table, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.wiring.rehearsal import Asked, rehearse

_CHAT: Final = "openai_chat"
_CHAT_PATH: Final = "/v1/chat/completions"
_LONGEST_CELL: Final = 60


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """What came of one recording."""

    file: str
    provider: str
    has_body: bool
    """Bodies could be compared; else headers, and the names in them."""
    differences: list[Difference]

    def as_json(self) -> dict[str, Json]:
        return {
            "file": self.file,
            "provider": self.provider,
            "same": not self.differences,
            "bodies_compared": self.has_body,
            "differences": [one.as_json() for one in self.differences],
            "dynamic": {"headers": list(DYNAMIC_HEADERS), "fields": list(DYNAMIC_FIELDS)},
        }


def aligned(session: Session, file: Path, *, provider: str = "", is_clients: bool = False) -> Alignment:
    """Hold the recording against what would be sent; with `is_clients` what the client sent, not what we did.

    Raises:
        GatewayError: it is no recording, or nothing would be sent today.
    """
    golden = read_golden(file)
    row, flight = golden["row"], golden["flight"]
    recorded = flight["client_request"] if is_clients else _last_sent(flight)
    has_body = bool(flight["client_request"]["body"]) and not flight["client_request"]["cut"]
    settings, _ = session.load()
    name = provider or row["provider"]
    asked = _question(row, flight, name) if has_body else _stand_in(row, flight, name)
    today = asyncio.run(rehearse(asked, settings, session.paths(), session.environ))
    if not has_body:
        recorded = {**recorded, "body": None, "fields": []}
    return Alignment(
        file=str(file),
        provider=name,
        has_body=has_body,
        differences=differences(recorded, today, is_clients=is_clients),
    )


def show(alignment: Alignment) -> None:
    """A row for each difference."""
    found = alignment.differences
    if found:
        columns = [spoken("where"), spoken("what"), spoken("recorded"), spoken("today")]
        print_table(columns, [_row(one) for one in found])
    if not alignment.has_body:
        say(
            "Bodies were not compared: the recording has none. "
            "`iflow2api config set recorder.contents true` keeps those of requests to come.",
            "yellow",
        )
    say("Compared by shape only: signatures, times, ids and keys; `--json` lists them.", "dim")
    if found:
        say(f"Differences from what {alignment.provider} would be sent today: {len(found)}.", "yellow")
    else:
        say(f"It is what {alignment.provider} would be sent today.", "green")


def _last_sent(flight: Mapping[str, Any]) -> Mapping[str, Any]:
    sent = next((one for one in reversed(flight["upstream_request"]) if one), None)
    if sent is None:
        raise ConfigError("Nothing was sent upstream in this recording.", hint="save one of a request that was")
    found: Mapping[str, Any] = sent
    return found


def _question(row: Mapping[str, Any], flight: Mapping[str, Any], provider: str) -> Asked:
    """The client's own request, on its way to the model that answered it."""
    model = row["model_served"] or row["model_asked"]
    question = question_from(flight, f"{provider}/{model}")
    return Asked(
        protocol=row["protocol"],
        path=question.path.partition("?")[0],
        headers=question.headers,
        body=question.body,
        provider=provider,
        account=row["account"],
    )


def _stand_in(row: Mapping[str, Any], flight: Mapping[str, Any], provider: str) -> Asked:
    """Of a request whose body was not kept the headers can be made all the same."""
    model = f"{provider}/{row['model_served'] or row['model_asked']}"
    body = {"model": model, "stream": row["stream"], "messages": [{"role": "user", "content": "hi"}]}
    return Asked(
        protocol=_CHAT,
        path=_CHAT_PATH,
        headers=flight["client_request"]["headers"],
        body=jsonx.encode(body),
        provider=provider,
        account=row["account"],
    )


def _row(one: Difference) -> tuple[str, str, str, str]:
    where = " ".join(filter(None, (spoken(one.place), one.name)))
    return where, spoken(one.kind), _cell(one.recorded), _cell(one.today)


def _cell(value: Json) -> str:
    if value is None:
        return "-"
    text = ", ".join(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value
    text = text if isinstance(text, str) else jsonx.encode(text).decode()
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
