"""What a person sees while they sign in: pages to open, a code for the phone, and how long there is still time.

Knows rich, narrow windows, pipes and colours. Refuses to know flows. All of it goes to stderr; with `--json` the
address and the code go to stdout as well, as one line that a program can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from iflow_cli_proxy.cli.folding import folded
from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.cli.signing.qr import qr_lines
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.providers.signin import DeviceGrant

Emit = Callable[[Mapping[str, Json]], None]

_ROWS_BESIDE_QR: Final = 9
"""The address, the user code in its frame and the countdown: all of it has to be seen at once."""
_LIGHT_GROUNDS: Final = ("7", "15")
"""The last number of COLORFGBG on terminals with a light ground."""
_REDRAWS_PER_S: Final = 4
_ECHO_OF_CTRL_C: Final = 3
"""Columns kept free for what the terminal writes then: on the next line it would disturb the cleaning up."""


class Wait:
    """Something that takes a while, and what there is to say about it."""

    def __init__(self, what: str, until: float | None, clock: Clock, screen: Screen) -> None:
        self._what = what
        self._until = until
        self._clock = clock
        self._screen = screen
        self._remark = ""

    def remark(self, text: str) -> None:
        """Say it beside the countdown, or "" for nothing; where nothing is redrawn, on a line of its own."""
        text = printable(text)
        if text and text != self._remark and not self._screen.is_live:
            self._screen.tell(text, "dim")
        self._remark = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = [spoken(self._what), spoken(self._remark)]
        if self._until is not None:
            parts.insert(0, spoken(f"{countdown(self._until - self._clock.monotonic())} left"))
        line = Text(" · ".join(filter(None, parts)), "cyan", no_wrap=True)
        line.truncate(max(1, options.max_width - _ECHO_OF_CTRL_C), overflow="ellipsis")
        yield line


class Screen:
    def __init__(self, console: Console, clock: Clock, *, environ: Mapping[str, str], emit: Emit | None = None) -> None:
        self._console = console
        self._clock = clock
        self._environ = environ
        self._emit = emit

    @property
    def is_live(self) -> bool:
        """What was shown can be shown anew, in place."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def tell(self, text: str, style: str = "") -> None:
        """A remark, in words of ours or of a server."""
        clean = printable(spoken(text))
        if self._console.is_terminal:
            clean = folded(clean, self._console.width)
        self._console.print(Text(clean, style), soft_wrap=True)

    def choices(self, names: tuple[str, ...], chosen: str) -> None:
        """A numbered list."""
        for number, name in enumerate(names, 1):
            self.tell(f"{number:>3}  {name}", "bold" if name == chosen else "")

    def page(self, url: str, lead: str) -> None:
        """An address to open or copy: on one line, however long."""
        if self._emit is not None:
            self._emit({"event": "page", "url": url})
        self.tell(lead)
        self._to_copy(url)

    def device(self, grant: DeviceGrant) -> None:
        """Where to go with which code, for this machine's browser, another one's, and a phone's camera."""
        url = grant.verification_uri_complete or grant.verification_uri
        if self._emit is not None:
            self._emit(_device_event(grant))
        self._qr(url)
        self.tell("Open this page in any browser, on any device, and confirm the code:")
        self._to_copy(url)
        if not self._console.is_terminal:
            self.tell(f"Code: {grant.user_code}")
            return
        code = Text(f" {printable(grant.user_code)} ", "bold reverse")
        self._console.print(Panel(code, title=spoken("code"), title_align="left", padding=(0, 2), expand=False))

    @contextmanager
    def waiting(self, what: str, within_s: float | None = None) -> Iterator[Wait]:
        """Inside, the time that is left runs down; afterwards no trace of it is left, however it ended."""
        until = None if within_s is None else self._clock.monotonic() + within_s
        wait = Wait(what, until, self._clock, self)
        if not self.is_live:
            self.tell(what if within_s is None else f"{what}, for {countdown(within_s)} at most")
            yield wait
            return
        with Live(
            wait,
            console=self._console,
            transient=True,
            refresh_per_second=_REDRAWS_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield wait

    def facts(self, rows: Mapping[str, str]) -> None:
        """What came of it, under the line that says so."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows.items():
            table.add_row(f"  {spoken(name)}", Text(printable(spoken(value))))
        self._console.print(table)

    def _to_copy(self, text: str) -> None:
        self._console.print(Text(printable(text), "green"), soft_wrap=True)

    def _qr(self, url: str) -> None:
        """Only where a camera can read it: whole, in half blocks, dark on light whatever the ground is."""
        if not self.is_live or not self._console.encoding.startswith("utf"):
            return
        has_colour = self._console.color_system is not None and not self._console.no_color
        lines = qr_lines(url, draws_light=not has_colour and not self._is_ground_light)
        if len(lines[0]) > self._console.width or len(lines) + _ROWS_BESIDE_QR > self._console.height:
            return
        style = "#000000 on #ffffff" if has_colour else ""
        for line in lines:
            self._console.print(Text(line, style), no_wrap=True)

    @property
    def _is_ground_light(self) -> bool:
        return self._environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_GROUNDS


def countdown(seconds: float) -> str:
    """`14:05`; past the end it stays at `0:00`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def _device_event(grant: DeviceGrant) -> Mapping[str, Json]:
    return {
        "event": "device_code",
        "user_code": grant.user_code,
        "verification_uri": grant.verification_uri,
        "verification_uri_complete": grant.verification_uri_complete or None,
        "expires_in_s": grant.expires_in_s,
    }
