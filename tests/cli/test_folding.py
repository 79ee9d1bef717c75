import pytest

from iflow_cli_proxy.cli.folding import RICH_WORD, cells, folded, padded


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three four", ["one two", "three four"]),
        ("run `iflow2api login qwen` again", ["run", "`iflow2api login qwen`", "again"]),
        ("  /a/folder/with/a/name", ["  /a/folder/with/a/name"]),
        ("one\n\ntwo", ["one", "", "two"]),
        ("a ` b", ["a ` b"]),
        ("网关 网关 网关", ["网关 网关", "网关"]),
        ("端口八零八零已占用。", ["端口八零八", "零已占用。"]),
        ("端口八零八。", ["端口八零", "八。"]),
        ("用 `a b` 试试", ["用 `a b`", "试试"]),
    ],
    ids=[
        "words",
        "a command",
        "a path",
        "its own lines",
        "a backquote alone",
        "wide letters",
        "between any two characters",
        "never before a full stop",
        "a command in Chinese",
    ],
)
def test_lines_end_between_words_and_never_inside_a_command(text: str, lines: list[str]) -> None:
    assert folded(text, 10).split("\n") == lines


@pytest.mark.parametrize(
    "text", ["The port (80) is taken; `a b`, ok", "端口 80\uff08见 `a b`\uff09已占用。 再试", "  ", "x"]
)
def test_rich_gets_every_character_in_some_word(text: str) -> None:
    found, at = [], 0
    while word := RICH_WORD.match(text, at):
        found.append(word[0])
        at = word.end()

    assert "".join(found).strip() == text.strip()


def test_a_wide_character_counts_twice() -> None:
    assert [cells("key"), cells("密钥"), cells("")] == [3, 4, 0]
    assert (padded("密钥", 6), padded("密钥", 6, is_right=True)) == ("密钥  ", "  密钥")
