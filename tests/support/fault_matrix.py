"""Every fault an upstream can have, what came of it for one request, and the table that says so (`docs/faults.md`)."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.rest import Rest
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import recent
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.state.paths import find_paths
from tests.support.faults import CANARY, GOOD, GOOD_STREAM, ROLE, TEXT, Facing, Heard, piece, whole
from tests.support.gateway import running_gateway, upstream_table
from tests.support.raw_upstream import (
    LAST_CHUNK,
    Connection,
    RawUpstream,
    Script,
    answer,
    close,
    event,
    hang,
    head,
    reset,
    sleep,
    stream_head,
)

KINDS: Final = ("JSON", "stream")
COUNTS: Final = (1, 2)
LIMIT_S: Final = 0.3
_IDS: Final = {
    "first": "00000000-0000-4000-8000-000000000001",
    "second": "00000000-0000-4000-8000-000000000002",
}
_GOOD_KEY: Final = f"{CANARY}-of-the-second"
_COLUMNS: Final = ("fault", "asked", "the client gets", "calls", "accounts afterwards", "in the ledger")


# --- the faults ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    name: str
    row: str
    """Of RELIABILITY."""
    json: Script = ()
    stream: Script = ()
    """The same for a stream."""
    refuses: bool = field(default=False, kw_only=True)
    """Nobody listens where the account's API should be."""

    def script(self, kind: str) -> Script:
        return self.stream if kind == "stream" else self.json


def _both(name: str, row: str, *script: bytes | object) -> Fault:
    steps: Script = script  # type: ignore[assignment]
    return Fault(name, row, steps, steps)


def _error(message: str = "no") -> bytes:
    return jsonx.encode({"error": {"message": message, "type": "x", "param": None, "code": None}})


def _status(status: int, more: str = "", headers: Mapping[str, str] | None = None, row: str = "F35") -> Fault:
    return _both(f"{status}{more}", row, answer(_error(), status, headers))


_HTML: Final = {"Content-Type": "text/html"}
_WHOLE: Final = whole()
_HALF: Final = _WHOLE[: len(_WHOLE) // 2]
_TOO_SHORT: Final = head(200, {"Content-Type": "application/json", "Content-Length": str(len(_WHOLE))}) + _HALF
_BEGUN: Final = stream_head() + event(ROLE) + event(piece("héllo "))

FAULTS: Final = (
    Fault("connection refused", "F1", refuses=True),
    _both("reset before headers", "F8", reset),
    Fault("reset mid-body", "F11, F16", [_TOO_SHORT, sleep(0.02), reset], [_BEGUN, sleep(0.02), reset]),
    _both("stall before the first byte", "F12", hang),
    Fault("stall mid-stream", "F13, F14", [_TOO_SHORT, hang], [_BEGUN, hang]),
    _status(401, row="F38"),
    _status(403, row="F38"),
    _both("403, account suspended", "F38", answer(_error("Your account has been suspended."), 403)),
    _status(429, " with Retry-After", {"Retry-After": "7"}, row="F33"),
    _status(429, " without Retry-After", row="F33"),
    *(_status(status) for status in (500, 502, 503, 504, 529)),
    _both("HTML with 200", "F39", answer(b"<html><body>Welcome</body></html>", 200, _HTML)),
    Fault("nothing with 200", "F39", [answer(b"")], [stream_head() + LAST_CHUNK]),
    _both("error in a 200 as JSON", "F39, F40", answer(_error())),
    _both("error as the first event", "F40", stream_head() + event(_error().decode()) + LAST_CHUNK),
    Fault("JSON cut short", "F39, F41", [answer(_HALF)], [_BEGUN + event('{"choices":[{"del') + LAST_CHUNK]),
    Fault("end missing", "F11, F16", [_TOO_SHORT, sleep(0.02), close], [_BEGUN + LAST_CHUNK]),
    _both("garbage bytes", "F22", b"\x00\x01nonsense\r\n\r\n", close),
)


# --- one request in the face of one --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A fault, the kind of answer that is asked for, and how many accounts there are; the second one is good."""

    fault: Fault
    kind: str
    accounts: int

    @property
    def name(self) -> str:
        return f"{self.fault.name}, {self.kind}, {self.accounts}"


CELLS: Final = tuple(Cell(fault, kind, count) for count in COUNTS for fault in FAULTS for kind in KINDS)


@asynccontextmanager
async def facing_fault(cell: Cell) -> AsyncIterator[Facing]:
    """A gateway with the cell's accounts, the first of which meets the fault whenever it is used."""

    async def play(connection: Connection) -> None:
        is_good = connection.requests[-1].header("authorization") == f"Bearer {_GOOD_KEY}"
        good = GOOD_STREAM if cell.kind == "stream" else GOOD
        for step in [good] if is_good else cell.fault.script(cell.kind):
            await (connection.send(step) if isinstance(step, bytes) else step(connection))

    with TemporaryDirectory() as folder, closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with RawUpstream([play]) as upstream:
            address = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1" if cell.fault.refuses else ""
            _save_accounts(Path(folder), cell.accounts, address)
            limits = f"first_byte_timeout_s = {LIMIT_S}\nidle_timeout_s = {LIMIT_S}\nconnect_timeout_s = 1"
            rules = '[resilience]\nretry_backoff_ms = 1\n[routing]\nstrategy = "fill_first"\n'
            table = upstream_table(f"{upstream.url}/v1", more=limits).replace("[routing]\n", "")
            async with running_gateway(rules + table, home=Path(folder)) as gateway:
                yield Facing(gateway, upstream)


def _save_accounts(home: Path, count: int, address: str) -> None:
    store = AccountStore(find_paths({"IFLOW2API_HOME": str(home)}).accounts_dir, clock=SystemClock())
    for label in ("first", "second")[:count]:
        store.create(
            SavedAccount(
                id=_IDS[label],
                provider="up",
                label=label,
                auth_type=AuthType.API_KEY,
                api_key=Secret(CANARY if label == "first" else _GOOD_KEY),
                base_url=address if label == "first" else "",
            )
        )


async def outcome_of(cell: Cell) -> tuple[str, ...]:
    """The cell's line of the table: what came of one request."""
    async with facing_fault(cell) as it:
        heard = await it.ask(stream=cell.kind == "stream")
        if hang in cell.fault.script(cell.kind):
            assert await it.has_hung_up(), "a connection to the upstream is left open"
        attempts = [attempt.account for attempt in it.gateway.exchanges[-1].attempts]
        assert cell.fault.refuses or len(attempts) == it.hits
        await it.gateway.services.renewal.save_refusals()
        labels = ("first", "second")[: cell.accounts]
        calls = [str(attempts.count(label)) for label in labels]
        states = [await _state(it, label) for label in labels]
        row = await _row(it)
    assert row.attempts[-1].account == row.account
    assert [one.account for one in row.attempts] == attempts
    return cell.fault.name, cell.kind, _told(heard), " + ".join(calls), "; ".join(states), _recorded(row)


def _told(heard: Heard) -> str:
    if heard.status != 200:
        assert heard.headers["content-type"].startswith("application/json")
        wait = heard.headers.get("retry-after")
        return f"{heard.status} `{_code(heard.body)}`" + (f", Retry-After {wait}" if wait else "")
    if not heard.headers["content-type"].startswith("text/event-stream"):
        assert heard.text == TEXT
        return "answer"
    if heard.body.endswith(b"data: [DONE]\n\n"):
        assert heard.text == TEXT
        assert b'{"error"' not in heard.body
        return "answer"
    assert not heard.is_finished, "a broken stream looks whole"
    assert TEXT.startswith(heard.text)
    assert heard.text
    return f"part of the answer, then error event `{_code(heard.events[-1])}`"


def _code(body: bytes) -> str:
    error = jsonx.decode(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


async def _state(it: Facing, label: str) -> str:
    services = it.gateway.services
    saved = (await asyncio.to_thread(services.accounts.store.place(_IDS[label]).read)) or _gone(label)
    if saved.state is not AccountState.OK:
        return saved.state.value.replace("_", " ")
    standing = next(one for one in services.pool.standings() if one.id == saved.id)
    rests = [rest for id, rest in services.pool.rests(services.clock.monotonic()) if id == saved.id]
    if rests:
        return ", ".join(f"rests {_nominal_s(rest):.0f} s: {rest.reason.value}" for rest in rests)
    failures = standing.failures_in_a_row
    return "ok" if not failures else f"ok, {failures} failure{'s' if failures > 1 else ''} noted"


async def _row(it: Facing) -> Row:
    """What the ledger says of the request. Ends the gateway, since rows are written by and by."""
    await it.gateway.server.aclose()
    connection = open_reader(it.gateway.services.ledger_file)
    assert connection is not None
    with closing(connection):
        [row] = recent(connection, 2)
    return row


def _recorded(row: Row) -> str:
    kind = f" `{row.error_kind}`" if row.error_kind else ""
    tokens = row.prompt + row.completion
    counted = "no tokens" if not tokens else "tokens estimated" if row.is_estimated else f"{tokens} tokens"
    return f"{row.status}{kind}, {row.account}, {counted}"


def _nominal_s(rest: Rest) -> float:
    """Its length without what chance has added: half of the ten percent that may be (`pool/rest.py`)."""
    return (rest.until - rest.since) / 1.05


def _gone(label: str) -> SavedAccount:
    raise AssertionError(f"the {label} account was lost")


# --- the table ----------------------------------------------------------------------------------------------------

_ABOUT: Final = f"""# What comes of each fault

Made by a run over real sockets (`pytest tests/integration/test_fault_matrix.py --regold`); the same test fails when the
gateway does anything else. One request is sent to a gateway that has just started, with the settings it comes with but
for short limits ({LIMIT_S} s to the first byte and between two reads) and short pauses. The first account meets the
fault whenever it is used; the second one is another key at the same provider and is good. Calls and accounts are told
first account first. In brackets are the rows of [reliability.md](reliability.md).

What is not plain from those rows:

- *connection refused*: only the address of the first account refuses; two keys at one address share its fate.
- Where there is one account, the second call is `resilience.retry_attempts`: an upstream that failed is asked once
  more unless it may have begun to answer, has refused the key, or has said or shown that it needs a rest.
- *HTML*, *nothing* and *error ...* are no beginning of an answer, though the status was good: one more call may follow.
- *429 without Retry-After*: the rest is two seconds, then twice as long each time; the client is told to come back.
- *403*: the account is forbidden the model that was asked and stays in use for others; only words that say the account
  itself is blocked take it out until a person has looked.
- *failures noted*: three in a row (`resilience.failure_threshold`) would make the account rest; those of a connection
  count against the host, and against the account only when the host answers others meanwhile.
- *in the ledger*: the status that was sent, what went wrong, which account was asked last, and what it used. An answer
  that never began used nothing that anybody could know of; of one that was cut the tokens are estimated.

"""


def read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """The lines of the file by the name of their cell; none when there is no file."""
    found: dict[str, tuple[str, ...]] = {}
    accounts = 0
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        if line.startswith("## "):
            accounts += 1
        elif line.startswith("| ") and not line.startswith(f"| {_COLUMNS[0]} |"):
            first, *more = (part.strip() for part in line.strip("|").split(" | "))
            name = re.sub(r" \([F0-9, ]+\)$", "", first)
            found[f"{name}, {more[0]}, {accounts}"] = (name, *more)
    return found


def render(table: Mapping[str, Sequence[str]]) -> str:
    """The whole file."""
    text = _ABOUT
    for count, title in zip(COUNTS, ("One account", "Two accounts"), strict=True):
        text += f"## {title}\n\n| {' | '.join(_COLUMNS)} |\n|{'--|' * len(_COLUMNS)}\n"
        for cell in CELLS:
            if cell.accounts == count and cell.name in table:
                name, *more = table[cell.name]
                text += f"| {name} ({cell.fault.row}) | {' | '.join(more)} |\n"
        text += "\n"
    return text.rstrip("\n") + "\n"
