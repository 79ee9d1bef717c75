"""What a person sees while they sign in: on wide and narrow terminals, without colours, and on a pipe."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from iflow_cli_proxy.cli.signing.qr import qr_lines
from iflow_cli_proxy.cli.signing.screen import countdown
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.signin import DeviceGrant
from tests.support.fake_clock import FakeClock
from tests.support.person import Paper

URL = "https://chat.qwen.ai/authorize?user_code=ABCD-EFGH&client=qwen-code"
LONG_URL = "https://id.example.com/authorize?" + "x" * 300
STYLES = re.compile(r"\x1b\[[\d;]*m")
MOVES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def grant(**changes: Any) -> DeviceGrant:
    facts = {
        "device_code": Secret("dc-very-secret"),
        "user_code": "ABCD-EFGH",
        "verification_uri": "https://chat.qwen.ai/authorize",
        "verification_uri_complete": URL,
        "expires_in_s": 900.0,
        "interval_s": 5.0,
    }
    return DeviceGrant(**{**facts, **changes})


def plain(text: str) -> list[str]:
    return STYLES.sub("", text).splitlines()


@pytest.mark.parametrize("width", [0, 20, 40, 200])
def test_an_address_is_one_line_however_narrow_the_window(width: int) -> None:
    paper = Paper(width)
    paper.screen.page(LONG_URL, "Open this:")
    assert LONG_URL in plain(paper.text)


@pytest.mark.parametrize("width", [40, 80])
def test_the_device_code_comes_with_a_code_for_the_phone_the_address_and_the_user_code(width: int) -> None:
    paper = Paper(width)
    paper.screen.device(grant())
    lines = plain(paper.text)
    assert set(qr_lines(URL)) <= set(lines)
    assert URL in lines
    assert any("ABCD-EFGH" in line and line != URL for line in lines)
    assert max(len(line) for line in lines if line != URL) <= width
    assert "dc-very-secret" not in paper.text


@pytest.mark.parametrize(
    "paper",
    [Paper(36), Paper(80, height=24), Paper()],
    ids=["too narrow", "too low", "a pipe"],
)
def test_a_code_for_the_phone_that_cannot_be_read_whole_is_left_out(paper: Paper) -> None:
    paper.screen.device(grant())
    assert "▀" not in paper.text
    assert URL in plain(paper.text)
    assert "ABCD-EFGH" in paper.text.replace(URL, "")


def test_a_pipe_gets_plain_lines() -> None:
    paper = Paper()
    paper.screen.device(grant())
    with paper.screen.waiting("waiting for you", 900.0) as wait:
        wait.remark("asking only every 10 s")
        wait.remark("asking only every 10 s")
        wait.remark("")
    assert paper.text.splitlines() == [
        "Open this page in any browser, on any device, and confirm the code:",
        URL,
        "Code: ABCD-EFGH",
        "waiting for you, for 15:00 at most",
        "asking only every 10 s",
    ]


def test_the_code_for_the_phone_is_dark_on_light_whatever_the_ground() -> None:
    paper = Paper(80)
    paper.screen.device(grant())
    assert "\x1b[38;2;0;0;0;48;2;255;255;255m" in paper.text


@pytest.mark.parametrize(
    ("ground", "draws_light"), [({}, True), ({"COLORFGBG": "15;0"}, True), ({"COLORFGBG": "0;default;15"}, False)]
)
def test_without_colours_the_blocks_are_what_is_light_unless_the_ground_is(
    ground: dict[str, str], draws_light: bool
) -> None:
    paper = Paper(80, colour=False, environ=ground)
    paper.screen.device(grant())
    assert set(qr_lines(URL, draws_light=draws_light)) <= set(plain(paper.text))


def test_a_program_reads_the_address_and_the_code_as_events() -> None:
    events: list[Any] = []
    paper = Paper(emit=events.append)
    paper.screen.page(LONG_URL, "Open this:")
    paper.screen.device(grant(verification_uri_complete=""))
    assert events == [
        {"event": "page", "url": LONG_URL},
        {
            "event": "device_code",
            "user_code": "ABCD-EFGH",
            "verification_uri": "https://chat.qwen.ai/authorize",
            "verification_uri_complete": None,
            "expires_in_s": 900.0,
        },
    ]


def test_without_a_complete_address_the_short_one_is_shown() -> None:
    paper = Paper()
    paper.screen.device(grant(verification_uri_complete=""))
    assert "https://chat.qwen.ai/authorize" in plain(paper.text)


@pytest.mark.parametrize("width", [40, 80])
def test_the_countdown_runs_and_leaves_no_trace(width: int) -> None:
    clock = FakeClock()
    paper = Paper(width, clock=clock)
    paper.screen.tell("before")
    with suppress(KeyError), paper.screen.waiting("waiting for you", 900.0) as wait:
        clock.advance(55.0)
        wait.remark("asking only every 10 s")
        paper.screen.tell("between")
        raise KeyError
    assert "15:00 left" in paper.text
    assert "14:05 left · waiting for you" in paper.text
    assert paper.text.rindex("\x1b[?25h") > paper.text.rindex("\x1b[?25l")
    assert shown(paper.text) == ["before", "between"]


def test_a_wait_leaves_room_for_the_echo_of_ctrl_c() -> None:
    paper = Paper(40)
    with paper.screen.waiting("waiting for you", 900.0) as wait:
        wait.remark("the sign-in server cannot answer now, and says so at length")
        paper.screen.tell("x")
    assert max(len(line) for line in re.split(r"[\r\n]", MOVES.sub("", paper.text))) == 37


def shown(text: str) -> list[str]:
    """What a terminal shows at the end, for the few movements that rich makes."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", STYLES.sub("", text)):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token == "\x1b[1A":
            row -= 1
        elif token != "\r" and not MOVES.fullmatch(token):
            lines[row] += token
    while lines and not lines[-1]:
        lines.pop()
    return lines


def test_i54_words_of_a_server_cannot_steer_the_terminal() -> None:
    paper = Paper()
    paper.screen.tell("denied \x1b[2J[bold]x[/bold]")
    paper.screen.device(grant(user_code="A\x1b]0;x\x07B"))
    paper.screen.facts({"label": "a\rb"})
    with paper.screen.waiting("x") as wait:
        wait.remark("\x1b[31mred")
    assert not set("\x1b\r\x07") & set(paper.text)
    assert "[bold]x[/bold]" in paper.text


@pytest.mark.parametrize(
    ("seconds", "text"), [(900, "15:00"), (65.4, "1:05"), (59.6, "1:00"), (0.2, "0:00"), (-5, "0:00")]
)
def test_a_countdown_stops_at_its_end(seconds: float, text: str) -> None:
    assert countdown(seconds) == text
