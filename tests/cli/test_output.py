import io

import pytest

from iflow_cli_proxy.cli.output import ExitCode, ask, exit_code_of, print_json, print_table, printable, report
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


def test_printable_keeps_words_in_every_script() -> None:
    assert printable("你好 …\tx\n") == "你好 …\tx\n"
    assert printable("a\x1bb\u2028c") == "a\ufffdb\ufffdc"


def test_a_table_on_a_pipe_is_aligned_text_without_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "value"], [["a", "x" * 300], ["long name", "y"]])

    assert capsys.readouterr().out.splitlines() == [
        "name       value",
        "a          " + "x" * 300,
        "long name  y",
    ]


def test_json_is_one_line_of_utf8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"a": "…"})

    assert capfdbinary.readouterr().out == '{"a":"…"}\n'.encode()
