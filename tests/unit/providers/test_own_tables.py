from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.own_tables import check_keys, own_rows


def test_the_tables_are_read_and_an_empty_file_has_none() -> None:
    assert own_rows('[[things]]\nid = "a"\n[[things]]\nid = "b"', "f", "things") == [{"id": "a"}, {"id": "b"}]
    assert own_rows("", "f", "things") == []


@pytest.mark.parametrize(
    ("text", "words"), [("[[", "f is not TOML"), ("x = 1", "unknown key 'x'"), ("things = 3", "things must be tables")]
)
def test_anything_else_is_told_with_the_next_step(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        own_rows(text, "f", "things")

    assert caught.value.hint


def test_an_unknown_key_is_told_with_the_nearest_one() -> None:
    check_keys({"model": 1}, ("model", "prompt"), "f[0]")
    with pytest.raises(ConfigError, match="unknown key 'modle'") as caught:
        check_keys({"modle": 1}, ("model", "prompt"), "f[0]")

    assert caught.value.hint == "did you mean model?"
