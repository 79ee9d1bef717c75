"""Every text a person can read has its line in the catalogue, and no line is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import texts
from tests.support.house import module

FILE = "iflow_cli_proxy/language/zh.toml"


def test_every_text_has_its_line_in_the_catalogue() -> None:
    """To add many at once: `python -m tests.support.texts` prints the lines, without their Chinese."""
    lacking = texts.lacking(texts.every_text(), texts.known_texts())
    if lacking:
        lines = "\n".join(f"{texts.line(one.template, '...')}  # {one.where}" for one in lacking)
        pytest.fail(f"add to [program] of {FILE}, in Chinese:\n{lines}", pytrace=False)


def test_no_line_of_the_catalogue_is_left_over() -> None:
    said = {one.template for one in texts.every_text()}
    stale = [text for text in texts.known_texts() if text not in said]
    if stale:
        lines = "\n".join(map(texts.line, stale))
        pytest.fail(f"nobody says this any more; take it out of [program] of {FILE}:\n{lines}", pytrace=False)


def test_every_room_and_module_left_out_is_there() -> None:
    rooms = [Path(texts.ROOT / "iflow_cli_proxy" / name.replace(".", "/")) for name in texts.UNSPOKEN]

    assert [str(room) for room in rooms if not room.is_dir() and not room.with_suffix(".py").is_file()] == []


# --- what counts as a text ----------------------------------------------------------------------------------------


def found(source: str, path: str = "pool/pool.py") -> list[str]:
    return sorted(one.template for one in texts.texts_of(module(f"iflow_cli_proxy/{path}", source)))


@pytest.mark.parametrize(
    ("source", "templates"),
    [
        ('raise ConfigError("The port is taken.")', ["The port is taken."]),
        (
            'raise ConfigError(f"The port {port} is taken.", hint="take another")',
            ["The port {} is taken.", "take another"],
        ),
        ("x = f\"{n} {'request' if n == 1 else 'requests'} came\"", ["{} request came", "{} requests came"]),
        ("x = f\"{name or 'nobody'} came late\"", ["nobody came late", "{} came late"]),
        (
            'x = f"is damaged: {why}" + ("." if ok else f", since {then}")',
            ["is damaged: {}, since {}", "is damaged: {}."],
        ),
        ('x = "a {brace} here"', ["a {{brace}} here"]),
        ("x = f\"{a} and {f('no more of it')}\"", ["no more of it", "{} and {}"]),
        ('"""A docstring of words."""', []),
        ('_LOG.warning("the port %s is taken", port)', []),
        ('_LOG.info("settings were taken up")', []),
        ('P = re.compile("rate limit")', []),
        ('Q = "SELECT name FROM keys"', []),
        ('raise AssertionError("the last try returns")', []),
        ('x = "word"', []),
        ('x = spoken("word")', []),
    ],
)
def test_sentences_are_found_and_what_is_for_programs_is_not(source: str, templates: list[str]) -> None:
    assert found(source) == templates


@pytest.mark.parametrize(
    ("source", "templates"),
    [
        ('x = spoken("word")', ["word"]),
        ('print_table(("name", "state"), rows)', ["name", "state"]),
        ('COLUMNS: Final = ("name", "state")', ["name", "state"]),
        ('Column(name="tokens", style="cyan")', ["tokens"]),
    ],
)
def test_single_words_are_found_where_only_words_for_people_stand(source: str, templates: list[str]) -> None:
    assert found(source, "cli/token.py") == templates


def test_the_help_of_every_command_is_among_the_texts() -> None:
    places = {one.template: one.where for one in texts.every_text()}

    assert "Run the gateway." in places
    assert "Language of help, messages and errors; else that of the locale." in places
