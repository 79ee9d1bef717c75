"""A flight for people: what went wrong and whose fault it was first, then how it came to that, then the evidence.

On a screen lines are folded to its width; on a pipe nothing is cut and no bars are drawn. Imported only by commands
that show flights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from iflow_cli_proxy.cli.flights.timeline import bars
from iflow_cli_proxy.cli.folding import cells, folded, padded
from iflow_cli_proxy.cli.output import console, printable
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.state.flight_queries import Found
from iflow_cli_proxy.state.ledger_row import Row

if TYPE_CHECKING:
    from rich.console import Console

_CLIENT_GONE: Final = "client_gone"
_CALLED_OFF: Final = "cancelled"
"""An attempt that went on until its client left: nobody's failure."""
_INDENT: Final = "  "
_BODY_LINES: Final = 12
_BODY_CHARACTERS: Final = 1500
"""Of a body, unless all of it is wanted."""
_WIDEST: Final = 120
_CONTENTS_HINT: Final = "`iflow2api config set recorder.contents true` keeps bodies of requests to come"
_NAMES: Final = {
    "anthropic": "Anthropic messages",
    "gemini": "Gemini",
    "ollama": "Ollama",
    "openai_chat": "chat completions",
    "openai_completions": "completions",
    "openai_embeddings": "embeddings",
    "openai_responses": "responses",
}

_GOOD: Final = "ok"
Line = tuple[str, str]
"""A text and its style."""


def show(one: Found, *, is_full: bool = False) -> None:
    """Print it on standard output."""
    screen = console()
    for text, style in lines(one, width=_width(screen), is_full=is_full, draws=sys.stdout.isatty()):
        screen.print(printable(text), style=style, markup=False, soft_wrap=True)


def lines(one: Found, *, width: int, is_full: bool = False, draws: bool = True) -> Iterator[Line]:
    """Everything that is known of it."""
    yield from head(one.row)
    flight = one.flight
    if flight is None:
        yield "", ""
        yield from _folded("How it went was not recorded, or is no longer kept.", width, "yellow")
        yield from _folded("Hint: `iflow2api config set recorder.enabled true` records requests to come", width, "cyan")
        return
    if flight.get("broken"):
        yield "", ""
        yield from _folded(
            f"How it went could not be written down ({flight['broken']}); please report it.", width, "red"
        )
        return
    yield from _verdict(flight, width)
    yield from _route(flight["route"], width)
    yield from _attempts(flight, one.row, width, draws=draws)
    yield from _notes(flight, one.row, width)
    yield from _gaps(flight.get("gaps"), width)
    yield from _traffic(flight, width)
    if is_full:
        yield from _headers(flight)
    yield from _bodies(flight, width, is_full=is_full)


def head(row: Row) -> Iterator[Line]:
    """Which request it was and how it ended."""
    is_bad = bool(row.error_kind) or row.status >= 400
    moment = datetime.fromtimestamp(row.at).astimezone()
    yield f"{row.request_id}  {row.status} {row.error_kind or _GOOD}", "bold red" if is_bad else "bold green"
    facts = [
        f"{moment:%Y-%m-%d %H:%M:%S}",
        seconds(row.duration_s),
        _named(row.protocol),
        spoken("streamed" if row.is_stream else "one answer"),
        *([spoken(f"key {row.client}")] if row.client else []),
    ]
    yield " · ".join(facts), "dim"


def seconds(value: float | None) -> str:
    """`12 ms`, `1.25 s`, `3 min 5 s`; - where nothing was measured."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.{0 if value >= 0.0095 else 1}f} ms"
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def size(count: int) -> str:
    for unit, name in ((1 << 20, "MB"), (1 << 10, "KB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def _verdict(flight: Mapping[str, Any], width: int) -> Iterator[Line]:
    """What the client was told, and whose account it was."""
    error = flight.get("error")
    if not error:
        return
    failed = [one for one in flight["attempts"] if one["error_kind"] not in ("", _CALLED_OFF)]
    yield "", ""
    if error["kind"] == _CLIENT_GONE and not error["message"]:
        yield from _folded("The client went away before the end.", width, "yellow")
    if error["message"]:
        yield from _folded(error["message"], width, "red")
    if error["hint"]:
        yield from _folded(f"Hint: {error['hint']}", width, "cyan")
    if failed:
        who = dict.fromkeys(f"{one['account']} ({one['error_kind']})" for one in failed)
        yield from _folded(f"Failed: {', '.join(who)}", width, "red")
    elif not flight["attempts"]:
        yield from _folded("No account was asked.", width, "red")


def _route(route: Mapping[str, Any], width: int) -> Iterator[Line]:
    if not route["asked"]:
        return
    yield from _title(spoken("Route"))
    way = f"{route['asked']} = {route['alias']}" if route["alias"] else route["asked"]
    yield from _folded(f"{way} → {', '.join(route['routes'])}", width, "", _INDENT)
    if route["strategy"]:
        yield from _folded(f"Accounts are picked by {route['strategy']}.", width, "dim", _INDENT)
        if route["session"]:
            yield from _folded("This conversation stays on its account.", width, "dim", _INDENT)
    for note in route["notes"]:
        yield from _folded(note, width, "dim", _INDENT)


def _attempts(flight: Mapping[str, Any], row: Row, width: int, *, draws: bool) -> Iterator[Line]:
    attempts = flight["attempts"]
    if not attempts:
        return
    yield from _title(spoken("Attempts"))
    said = (flight.get("error") or {}).get("message") if len(attempts) == 1 else ""
    drawn = bars(attempts, row.duration_s, min(width, _WIDEST) - len(_INDENT)) if draws else []
    for at, one in enumerate(attempts):
        is_bad = bool(one["error_kind"])
        status = "" if one["status"] is None else f"{one['status']} "
        ending = f"{status}{one['error_kind'] or _GOOD}"
        yield f"{_INDENT}{one['n']}  {one['account']}  {one['route']}  {ending}", "red" if is_bad else "green"
        if drawn:
            yield _INDENT + drawn[at], "red" if is_bad else "cyan"
        yield from _folded(_times(one), width, "dim", _INDENT * 2)
        if one["url"]:
            yield f"{_INDENT * 2}{one['url']}", "dim"
        for text in (one["message"], one["detail"]):
            if text and text != said:
                yield from _folded(text, width, "red", _INDENT * 2)
        if one["retry"]:
            yield from _folded(f"→ {spoken(one['retry'])}", width, "yellow", _INDENT * 2)


def _times(one: Mapping[str, Any]) -> str:
    moments = (
        (spoken("begun"), one["started_s"]),
        (spoken("headers"), one["headers_s"]),
        (spoken("content"), one["first_content_s"]),
        (spoken("ended"), one["ended_s"]),
    )
    return " · ".join(f"{words} {seconds(at)}" for words, at in moments if at is not None)


def _notes(flight: Mapping[str, Any], row: Row, width: int) -> Iterator[Line]:
    notes, changed = flight["notes"], [*_translation(flight, row), *_changed_fields(flight)]
    if not notes and not changed and not flight["repairs"]:
        return
    yield from _title("Changed on the way")
    if flight["repairs"] and not notes:
        yield from _folded(f"messages were mended in {flight['repairs']} places", width, "", _INDENT)
    for note in notes:
        yield from _folded(f"{note['path']}: {note['what']}" if note["path"] else note["what"], width, "", _INDENT)
    for text in changed:
        yield from _folded(text, width, "", _INDENT)


def _translation(flight: Mapping[str, Any], row: Row) -> Iterator[str]:
    """Between two protocols nearly every field has another name."""
    upstream = next((one["protocol"] for one in reversed(flight["upstream_request"]) if one), row.protocol)
    if upstream != row.protocol:
        yield f"translated from {_named(row.protocol)} to {_named(upstream)}"


def _named(protocol: str) -> str:
    return spoken(_NAMES.get(protocol, protocol))


def _changed_fields(flight: Mapping[str, Any]) -> Iterator[str]:
    """Top-level fields that only one side knew, of the last request."""
    asked = flight["client_request"]["fields"]
    sent: list[str] = next((one["fields"] for one in reversed(flight["upstream_request"]) if one), [])
    if not asked or not sent:
        return
    if dropped := [name for name in asked if name not in sent]:
        yield f"fields not sent on: {', '.join(dropped)}"
    if added := [name for name in sent if name not in asked]:
        yield f"fields added: {', '.join(added)}"


def _gaps(gaps: Mapping[str, Any] | None, width: int) -> Iterator[Line]:
    if not gaps or gaps["chunks"] < 2:
        return
    yield from _title(spoken("Gaps"))
    counts = [f"≤{limit:g} s: {count}" for limit, count in gaps["buckets"][:-1] if count]
    longer = gaps["buckets"][-1][1]
    counts += [f">{gaps['buckets'][-2][0]:g} s: {longer}"] if longer else []
    text = f"{gaps['chunks']} chunks, the longest gap {seconds(gaps['longest_s'])}"
    yield from _folded(f"{spoken(text)} ({', '.join(counts)})", width, "", _INDENT)


def _traffic(flight: Mapping[str, Any], width: int) -> Iterator[Line]:
    """How large each of the bodies was, and the names in it."""
    yield from _title(spoken("Bodies"))
    found = list(_directions(flight))
    longest = max(cells(name) for name, _ in found)
    for name, part in found:
        fields = ", ".join(part["fields"])
        text = f"{padded(name, longest)}  {size(part['bytes']):>8}" + (f"  {fields}" if fields else "")
        room = width - len(_INDENT)
        yield _INDENT + (text if len(text) <= room else f"{text[: room - 1]}…"), ""


def _headers(flight: Mapping[str, Any]) -> Iterator[Line]:
    for name, part in _directions(flight):
        if not part["headers"]:
            continue
        yield from _title(f"Headers: {name}")
        longest = min(32, max(map(len, part["headers"])))
        for header, value in part["headers"].items():
            yield f"{_INDENT}{header:<{longest}}  {value}", "dim"


def _bodies(flight: Mapping[str, Any], width: int, *, is_full: bool) -> Iterator[Line]:
    found = [(name, part) for name, part in _directions(flight) if part["body"] is not None and part["bytes"]]
    for name, part in found:
        yield from _title(f"Body: {name}")
        yield from _body(part["body"], width, is_full=is_full)
        if part["cut"]:
            cut = f"cut at recorder.max_body_bytes; it had {size(part['bytes'])}"
            yield from _folded(cut, width, "yellow", _INDENT)
    if not found:
        yield "", ""
        yield from _folded(_CONTENTS_HINT, width, "dim")
    elif not is_full:
        yield "", ""
        yield from _folded("`--full` shows headers and whole bodies", width, "dim")


def _body(body: str, width: int, *, is_full: bool) -> Iterator[Line]:
    shown = body if is_full else body[:_BODY_CHARACTERS]
    texts = [text for text in shown.splitlines() if text or is_full]  # events have blank lines between them
    told = [line for text in texts for line in _chopped(text, width - len(_INDENT))]
    most = len(told) if is_full else _BODY_LINES
    for line in told[:most]:
        yield _INDENT + line, "dim"
    if len(shown) < len(body) or most < len(told):
        yield f"{_INDENT}…", "dim"


def _directions(flight: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The four sides, upstream's for each attempt, that were there at all."""
    yield spoken("client request"), flight["client_request"]
    several = len(flight["attempts"]) > 1
    for at, (request, reply) in enumerate(zip(flight["upstream_request"], flight["upstream_reply"], strict=True), 1):
        number = f" {at}" if several else ""
        if request:
            yield spoken("upstream request") + number, request
        if reply:
            yield spoken("upstream reply") + number, reply
    if flight["client_reply"]["bytes"]:
        yield spoken("client reply"), flight["client_reply"]


def _title(text: str) -> Iterable[Line]:
    return (("", ""), (spoken(text), "bold"))


def _folded(text: str, width: int, style: str, indent: str = "") -> Iterator[Line]:
    room = max(20, width - len(indent))
    for line in folded(spoken(text), room).split("\n"):
        yield indent + line, style


def _chopped(text: str, width: int) -> Sequence[str]:
    """Bodies are no prose: they are folded where the line ends."""
    return [text[at : at + width] for at in range(0, len(text), width)] or [""]


def _width(screen: Console) -> int:
    """On a pipe nothing is folded."""
    return min(screen.width, _WIDEST) if sys.stdout.isatty() else 1 << 20
