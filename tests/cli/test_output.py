import io
import re

import pytest

from iflow_cli_proxy.cli.output import (
    ExitCode,
    ask,
    exit_code_of,
    hint_of,
    print_json,
    print_table,
    printable,
    report,
    say,
)
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, LoginRequired, StateError, Unreachable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoginRequired("sign in"), ExitCode.LOGIN_NEEDED),
        (Unreachable("gone"), ExitCode.FAILED),
        (StateError("full"), ExitCode.FAILED),
        (ConfigError("wrong", param="server.port"), ExitCode.FAILED),
        (ConfigError("wrong", param="--upstream"), ExitCode.USAGE),
    ],
)
def test_the_exit_code_follows_from_the_error(error: GatewayError, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_exit_codes_are_the_promised_numbers() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 130]


def test_a_report_tells_what_where_and_what_next_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    report(StateError("It could not be saved.", detail="/a/b", hint="iflow2api doctor"))

    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err == "Error: It could not be saved.\n  /a/b\nHint: iflow2api doctor\n"


def test_a_file_that_cannot_be_used_has_a_next_step_too() -> None:
    assert "iflow2api doctor" in hint_of(StateError("It could not be saved.", detail="/a/file"))
    assert hint_of(StateError("It could not be saved.", detail="/a/file", hint="make room")) == "make room"
    assert hint_of(StateError("The passphrase is wrong.")) == ""


def test_i44_text_from_elsewhere_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report(Unreachable("evil \x1b[31m\r\x07 [bold]text[/bold]"))

    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\r" not in err
    assert "[bold]text[/bold]" in err


def test_a_question_is_asked_on_stderr_and_leaving_it_is_an_interrupt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("an answer\n"))
    assert ask("name") == "an answer"
    with pytest.raises(KeyboardInterrupt):
        ask("name")

    seen = capsys.readouterr()
    assert seen.out.strip() == ""
    assert "name" in seen.err


def test_enter_alone_is_the_default_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\nother\n"))
    assert [ask("name", default="usual"), ask("name", default="usual")] == ["usual", "other"]


@pytest.mark.parametrize(("text", "secret"), [("sk-1\n", "sk-1"), ("sk-1\r\nrest\n", "sk-1"), ("", "")])
def test_a_secret_from_a_pipe_is_taken_without_a_word(
    text: str, secret: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert ask("key", is_secret=True) == secret
    assert capsys.readouterr() == ("", "")


def test_printable_keeps_words_in_every_script() -> None:
    assert printable("你好 …\tx\n") == "你好 …\tx\n"
    assert printable("a\x1bb\u2028c") == "a\ufffdb\ufffdc"
    family, wide, fixed = "\U0001f469\u200d\U0001f467", "一\u3000二", "10\u00a0%"
    assert printable(family + wide + fixed) == family + wide + fixed
    assert printable("\x9b2J \u202etxt.exe") == "\ufffd2J \ufffdtxt.exe"


def test_a_table_on_a_pipe_is_aligned_text_without_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "value"], [["a", "x" * 300], ["long name", "y"]])

    assert capsys.readouterr().out.splitlines() == [
        "name       value",
        "a          " + "x" * 300,
        "long name  y",
    ]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        ("30", ["name       where     many", "long name  upstream  1,000"]),
        ("24", ["name       where", "long name  upstream"]),
    ],
    ids=["it fits", "without the last"],
)
def test_a_narrow_screen_is_spared_columns_before_words_are_folded(
    width: str, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(["name", "where", "many"], [["long name", "upstream", "1,000"]], spare=1)

    shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert [line.rstrip() for line in shown.splitlines()] == lines


@pytest.mark.parametrize("is_to_copy", [False, True])
def test_a_screen_gets_folded_remarks_but_what_is_to_be_copied_whole(
    is_to_copy: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say("curl -N http://127.0.0.1/v1", is_to_copy=is_to_copy)

    folded_lines = ["curl -N", "http://127.0.0.1/v1"]
    assert capsys.readouterr().err.splitlines() == ([" ".join(folded_lines)] if is_to_copy else folded_lines)


def test_json_is_one_line_of_utf8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"a": "…"})

    assert capfdbinary.readouterr().out == '{"a":"…"}\n'.encode()


def test_a_table_on_a_pipe_is_aligned_by_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "where"], [["工作", "here"], ["work", "there"]])

    assert capsys.readouterr().out == "name  where\n工作  here\nwork  there\n"
