"""The language of a call: who decides, what it changes, and that English costs and changes nothing."""

import io
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich import _wrap

from iflow_cli_proxy.cli.speech import asked_for, language, language_of, lend_lines, speaking, spoken
from tests.support.cli import run_cli


@pytest.mark.parametrize(
    ("args", "asked", "rest"),
    [
        (["token", "list"], "", ["token", "list"]),
        (["--lang", "zh", "token", "list"], "zh", ["--lang", "zh", "token", "list"]),
        (["token", "list", "--lang", "zh"], "zh", ["--lang", "zh", "token", "list"]),
        (["token", "--lang=zh", "list"], "zh", ["--lang", "zh", "token", "list"]),
        (["--lang", "en", "usage", "--lang", "zh"], "zh", ["--lang", "zh", "usage"]),
        (["launch", "codex", "--", "--lang", "zh"], "", ["launch", "codex", "--", "--lang", "zh"]),
        (["token", "list", "--lang"], "", ["--lang"]),
    ],
    ids=" ".join,
)
def test_the_flag_counts_wherever_it_stands_but_not_after_two_dashes(
    args: list[str], asked: str, rest: list[str]
) -> None:
    assert asked_for(args) == (asked, rest)


@pytest.mark.parametrize(
    ("asked", "environ", "expected"),
    [
        ("zh", {"IFLOW2API_LANG": "en"}, "zh"),
        ("zh-CN", {}, "zh"),
        ("", {"IFLOW2API_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ("", {"IFLOW2API_LANG": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "en_US.UTF-8"}, "en"),
        ("", {}, "en"),
    ],
)
def test_a_flag_counts_more_than_the_variable_and_that_more_than_the_locale(
    asked: str, environ: Mapping[str, str], expected: str
) -> None:
    assert language_of(asked, environ) == expected


def test_a_terminal_that_cannot_show_it_gets_english_unless_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))

    assert language_of("", {"LANG": "zh_CN"}) == "en"
    assert language_of("zh", {}) == "zh"


def test_what_is_drawn_in_a_thread_is_spoken_too() -> None:
    with speaking("zh"), ThreadPoolExecutor() as pool:
        assert pool.submit(spoken, "Saved server.port.").result() == "已保存 server.port。"


def test_a_language_lasts_as_long_as_its_call() -> None:
    folding = _wrap.re_word
    with speaking("zh"):
        assert language() == "zh"
        assert spoken("Saved server.port.") == "已保存 server.port。"
        assert _wrap.re_word is folding
        lend_lines()
        lend_lines()
        assert _wrap.re_word is not folding
    assert (language(), spoken("Saved server.port.")) == ("en", "Saved server.port.")
    assert _wrap.re_word is folding
    lend_lines()
    assert _wrap.re_word is folding


@pytest.mark.parametrize("args", [["--lang", "xx", "token", "list"], ["token", "list", "--lang", "xx"]], ids=" ".join)
def test_a_language_we_do_not_speak_is_wrong_usage(args: list[str]) -> None:
    done = run_cli(*args)

    assert done.code == 2
    assert "'xx' is not one of en, zh" in done.err


def test_a_variable_that_names_no_language_is_wrong_usage_too() -> None:
    done = run_cli("token", "list", env={"IFLOW2API_LANG": "klingon"})

    assert done.code == 2
    assert "'klingon' is not one of en, zh" in done.err


def test_a_flag_without_a_value_says_so() -> None:
    assert "--lang" in run_cli("token", "list", "--lang").err
