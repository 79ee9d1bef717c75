import pytest
from rich import _wrap
from rich.cells import cell_len
from rich.console import Console, OverflowMethod
from rich.text import Text

from iflow_cli_proxy.cli.rich_lines import chinese_lines

SENTENCE = "用名称、provider/名称、id 或 id 的开头部分指定。不写则 表示 全部\uff08见帮助\uff09。"


def lines(text: str, width: int, overflow: OverflowMethod = "fold") -> list[str]:
    with chinese_lines():
        return [line.plain.rstrip() for line in Text(text).wrap(Console(), width, overflow=overflow)]


def test_lines_end_between_characters_but_not_before_a_full_stop() -> None:
    assert lines("端口 80\uff08见帮助\uff09已占用。", 12) == ["端口 80\uff08见", "帮助\uff09已占", "用。"]


@pytest.mark.parametrize("overflow", ["fold", "ellipsis"])
def test_nothing_is_cut_and_nothing_too_wide_at_any_width(overflow: OverflowMethod) -> None:
    for width in range(10, 80):
        found = lines(SENTENCE, width, overflow)

        assert max(map(cell_len, found)) <= width
        assert "".join("".join(found).split()) == "".join(SENTENCE.split())


def test_afterwards_rich_is_as_it_was() -> None:
    before = (_wrap.re_word, Text.rstrip_end)
    with chinese_lines():
        pass

    assert (_wrap.re_word, Text.rstrip_end) == before
