from __future__ import annotations

from collections.abc import Callable

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.server.admin.query import flag_in, number_in, text_in, word_in


def test_what_is_not_said_is_what_is_usual() -> None:
    assert text_in({}, "q") == ""
    assert number_in({}, "limit", usual=50, most=500) == 50
    assert word_in({}, "level", ("info", "error"), usual="info") == "info"
    assert not flag_in({}, "failed")


def test_what_is_said_counts_within_its_limits() -> None:
    assert text_in({"q": "é%_'"}, "q") == "é%_'"
    assert number_in({"limit": "9999"}, "limit", usual=50, most=500) == 500
    assert flag_in({"failed": "1"}, "failed")


@pytest.mark.parametrize(
    "read",
    [
        lambda: text_in({"x": "y" * 201}, "x"),
        lambda: text_in({"x": "a\0b"}, "x"),
        lambda: number_in({"x": "-1"}, "x", usual=1, most=9),
        lambda: number_in({"x": "0"}, "x", usual=1, most=9, least=1),
        lambda: number_in({"x": "1e3"}, "x", usual=1, most=9),
        lambda: number_in({"x": "9" * 5000}, "x", usual=1, most=9),
        lambda: number_in({"x": "\u0663"}, "x", usual=1, most=9),
        lambda: word_in({"x": "loud"}, "x", ("info",), usual="info"),
        lambda: flag_in({"x": "maybe"}, "x"),
    ],
)
def test_nonsense_is_refused_by_its_name(read: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read()
    assert raised.value.param == "x"
