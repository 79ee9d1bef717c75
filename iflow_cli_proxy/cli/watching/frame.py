"""One picture of a gateway: what is said of it, and two tables. Pure: a snapshot and a size in, blocks of text out.

Where a window is narrow, columns are left out and lines are broken; where it is low, rows are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias

from rich.text import Text

from iflow_cli_proxy.cli.accounting.drawing import buckets, short, sparks
from iflow_cli_proxy.cli.columns import Column, cut, fitting, width_of
from iflow_cli_proxy.cli.folding import folded, padded
from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.cli.watching.rows import account_columns, is_ready, lasting, request_columns, soonest_first
from iflow_cli_proxy.cli.watching.shape import Minute, OpenHost, Second, Snapshot
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.spans import span

Block: TypeAlias = Text | Sequence[Column]
"""A line, or a table."""

_BETWEEN: Final = " · "
_LABEL: Final = 9
_MOST_CELLS: Final = 11
_STEP_CELLS: Final = 4
_MOST_KINDS: Final = 3
_LEAST_ROWS: Final = 2
_WANTED_ROWS: Final = 10
"""Of both tables together, headings included: in a lower window pictures are left out."""
_SHORTEST_NAME: Final = 12
_NAME_LENGTHS: Final = (64, 40, 32, 26, 22, 18, 15)
"""How long a name may be, tried from the longest."""
_SPEAKING: Final = ("thinking", "streaming")


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """How much room there is, and what the terminal can draw."""

    width: int
    height: int | None = None
    """None: as much as is needed."""
    is_plain: bool = False
    """No blocks."""


def frame(
    snapshot: Snapshot, place: str, canvas: Canvas, *, remark: str = "", has_pictures: bool = True
) -> list[Block]:
    """The whole picture; `remark` is what else there is to say about it."""
    heading, numbers = head(snapshot, place, canvas.width, remark), rates(snapshot, canvas.width)
    pictures = history(snapshot.history, canvas) if has_pictures else []
    busy, fares = request_title(snapshot, canvas.width), account_title(snapshot, canvas.width)
    hosts = [_host_line(one, canvas.width) for one in snapshot.breakers]
    fixed = len(heading) + len(numbers) + len(busy) + len(fares) + len(hosts) + 2  # and an empty line before each table
    listed, known = len(snapshot.in_flight), len(snapshot.accounts)
    room = None if canvas.height is None else canvas.height - fixed
    if room is not None and room < 0:  # what happens comes before what runs here
        lines: list[Block] = [*busy, *fares, *hosts, *numbers, *heading]
        return lines[: canvas.height]
    if room is not None:  # rows come before pictures
        pictures = pictures[: max(0, room - min(_WANTED_ROWS, listed + known + 2))]
        room -= len(pictures)
    for_requests, for_accounts = _shares(room, listed, known)
    requests_shown = snapshot.in_flight[: _shown(listed, for_requests)]
    accounts_shown = soonest_first(snapshot.accounts)[: _shown(known, for_accounts)]
    return [
        *heading,
        *numbers,
        *pictures,
        Text(),
        *busy,
        *_table(partial(request_columns, requests_shown), canvas.width, snapshot.in_flight_total - len(requests_shown)),
        Text(),
        *fares,
        *_table(partial(account_columns, accounts_shown), canvas.width, known - len(accounts_shown)),
        *hosts,
    ]


def lost(place: str, message: str, silent_s: float, width: int) -> list[Block]:
    """In place of numbers that would be old: nobody answers."""
    said = {
        f"iflow2api{_BETWEEN}{_address(place)}": "bold",
        printable(message): "red",
        f"Nothing heard for {lasting(silent_s)}; asked again and again.": "dim",
        "`iflow2api serve` starts a gateway.": "dim",
    }
    return [Text(line, style) for text, style in said.items() for line in folded(spoken(text), width).split("\n")]


# --- lines --------------------------------------------------------------------------------------------------------


def head(snapshot: Snapshot, place: str, width: int, remark: str = "") -> list[Text]:
    """Which gateway it is, how long it has run and whether it takes work."""
    if snapshot.draining:
        state = Text(spoken("stopping"), "yellow")
    elif snapshot.accepting:
        state = Text(spoken("accepting"), "green")
    else:
        state = Text(spoken("takes nothing new"), "yellow")
    parts = [
        Text(f"iflow2api {printable(snapshot.version)}", "bold"),
        state,
        Text(_address(place), "cyan"),
        Text(spoken(f"up {span(snapshot.uptime_s)}")),
        Text(_time_of(snapshot.at), "dim"),
    ]
    lines, more = flowing(parts, width), flowing([*parts, Text(spoken(remark), "dim")], width)
    return more if len(more) == len(lines) else lines


def rates(snapshot: Snapshot, width: int) -> list[Text]:
    """The last minute in numbers."""
    minute = snapshot.minute
    parts = [
        Text(spoken("last minute"), "bold"),
        Text(spoken("1 request" if minute.requests == 1 else f"{minute.requests:,} requests")),
        Text(spoken(f"{short(minute.tokens_per_s)} tokens/s")),
        Text(_beginnings(minute)),
        *_failures(minute),
    ]
    return flowing(parts, width)


def history(seconds: Sequence[Second], canvas: Canvas) -> list[Text]:
    """A line of sparks for each series, with the most of one spark at its end."""
    series = {"requests": "cyan", "tokens": "cyan", "errors": "red"}  # each a field of Second
    room = canvas.width - _LABEL - _MOST_CELLS
    lines = []
    for name, style in series.items():
        numbers = [float(getattr(second, name)) for second in seconds]
        if not numbers or (name == "errors" and not any(numbers)):
            continue
        step = 1 if len(numbers) <= room else -(-len(numbers) // max(8, room - _STEP_CELLS))
        squeezed = buckets(numbers, -(-len(numbers) // step))
        most = f" max {short(max(squeezed))}" + (f"/{step} s" if step > 1 else "")
        picture = sparks(squeezed, is_plain=canvas.is_plain)
        lines.append(Text.assemble((padded(spoken(name), _LABEL), "dim"), (picture, style), (most, "dim")))
    return lines


def request_title(snapshot: Snapshot, width: int) -> list[Text]:
    speed = sum(one.tokens_per_s for one in snapshot.in_flight if one.phase in _SPEAKING)
    parts = [
        Text(spoken("requests"), "bold"),
        Text(spoken(f"{snapshot.in_flight_total} in flight" if snapshot.in_flight_total else "none in flight")),
        Text(spoken(f"{snapshot.queue} queued") if snapshot.queue else "", "yellow"),
        Text(spoken(f"{short(speed)} tokens/s now") if speed else ""),
    ]
    return flowing(parts, width)


def account_title(snapshot: Snapshot, width: int) -> list[Text]:
    well = sum(map(is_ready, snapshot.accounts))
    parts = [
        Text(spoken("accounts"), "bold"),
        Text(spoken(f"{well} of {len(snapshot.accounts)} ready"), "" if well else "red")
        if snapshot.accounts
        else Text(spoken("none"), "red"),
        Text("" if snapshot.accounts else spoken("`iflow2api login` signs one in")),
    ]
    return flowing(parts, width)


def flowing(parts: Iterable[Text], width: int) -> list[Text]:
    """Parts side by side with dots between; a line ends where the next part has no room."""
    lines: list[Text] = []
    for part in parts:
        if not part.plain:
            continue
        part.truncate(width, overflow="ellipsis")
        if lines and lines[-1].cell_len + len(_BETWEEN) + part.cell_len <= width:
            lines[-1].append(_BETWEEN, "dim").append_text(part)
        else:
            lines.append(Text().append_text(part))
    return lines


def _beginnings(minute: Minute) -> str:
    if minute.first_byte_p50_s is None:
        return ""
    median, slow = _seconds(minute.first_byte_p50_s), _seconds(minute.first_byte_p95_s or 0.0)
    return spoken(f"first byte {median}, p95 {slow}")


def _failures(minute: Minute) -> list[Text]:
    """How many, and of which kinds."""
    if not minute.errors:
        return [Text(spoken("no errors"), "green")] if minute.requests else []
    kinds = [f"{printable(kind)} {count}" for kind, count in minute.errors_by_kind.items()]
    shown = [*kinds[: _MOST_KINDS - 1], f"{kinds[_MOST_KINDS - 1]}, …"] if len(kinds) > _MOST_KINDS else kinds
    return [Text(part, "red") for part in (spoken(f"{minute.error_rate:.1%} errors"), *shown)]


def _host_line(one: OpenHost, width: int) -> Text:
    host = printable(one.host)
    if one.state == "open":
        told = spoken(f"{host} is down, next try in {lasting(one.seconds_left)}")
    else:
        told = spoken(f"{host} is down, being tried again")
    return Text(cut(told, width), "red")


# --- room ---------------------------------------------------------------------------------------------------------


def _shares(room: int | None, requests: int, accounts: int) -> tuple[int | None, int | None]:
    """Lines for each table, headings included: what both need, else half each, and what one leaves to the other."""
    if room is None:
        return None, None
    needs = [count + 1 if count else 0 for count in (requests, accounts)]
    if sum(needs) <= room:
        return needs[0], needs[1]
    half = max(_LEAST_ROWS, room // 2)
    if needs[1] <= half:
        return max(_LEAST_ROWS, room - needs[1]), needs[1]
    if needs[0] <= half:
        return needs[0], max(_LEAST_ROWS, room - needs[0])
    return half, max(_LEAST_ROWS, room - half)


def _shown(count: int, lines: int | None) -> int:
    """How many rows fit in so many lines with a heading, and with a line that counts the others if there are any."""
    if lines is None or count + 1 <= lines:
        return count
    return max(0, lines - 2)


def _table(columns: Callable[[int], list[Column]], width: int, others: int) -> list[Block]:
    """As many columns as fit with short names, and then names as long as these columns leave room for."""
    least = max(_SHORTEST_NAME, width // 7)
    kept = fitting(columns(least), width)
    names = {column.name for column in kept}
    for longest in (one for one in _NAME_LENGTHS if one > least):
        longer = [column for column in columns(longest) if column.name in names]
        if width_of(longer) <= width:
            kept = longer
            break
    has_rows = bool(kept and kept[0].cells)
    blocks: list[Block] = [kept] if has_rows else []
    if others > 0:
        blocks.append(Text(spoken(f"… and {others} more" if has_rows else f"{others} more"), "dim"))
    return blocks


# --- words --------------------------------------------------------------------------------------------------------


def _time_of(at: str) -> str:
    """Here and now; empty for what no calendar holds."""
    moment = instant(at)
    try:
        return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M:%S") if moment else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _address(place: str) -> str:
    return printable(place.removeprefix("http://"))


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
