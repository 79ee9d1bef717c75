from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.model_table import ModelTable

TEXT = """
[[models]]
id = "Big-1"
name = "Big One"

[[models]]
id = "small"
output_tokens = 7

[[families]]
match = ["big"]
context_tokens = 1000
output_tokens = 100
context_parts = [["-1", 2000]]
output_parts = [["-1-long", 300], ["-1", 200]]

[[families]]
match = [""]
context_tokens = 10
output_tokens = 1
"""


def table() -> ModelTable:
    return ModelTable(TEXT, "acme")


def test_a_row_has_the_limits_of_its_family_where_it_is_silent() -> None:
    big, small = table().catalog("", "own.toml")
    assert (big.id, big.context_tokens, big.output_tokens, big.owned_by) == ("Big-1", 2000, 200, "acme")
    assert (small.context_tokens, small.output_tokens) == (10, 7)


@pytest.mark.parametrize(
    ("model", "limits"),
    [("big-9", (1000, 100)), ("BIG-1-LONG", (2000, 300)), ("stranger", (10, 1)), ("", (10, 1))],
)
def test_a_model_without_a_row_has_its_familys_limits(model: str, limits: tuple[int, int]) -> None:
    assert (table().context_limit(model), table().output_limit(model)) == limits


def test_a_persons_file_changes_a_row_and_leaves_the_table_as_it_was() -> None:
    one = table()
    changed = one.catalog('[[models]]\nid = "BIG-1"\noutput_tokens = 5\n[[models]]\nid = "new"', "own.toml").find(
        "big-1"
    )
    unchanged = one.catalog("", "own.toml").find("big-1")
    assert changed is not None
    assert unchanged is not None
    assert (changed.id, changed.name, changed.output_tokens) == ("Big-1", "Big One", 5)
    assert unchanged.output_tokens == 200


def test_a_mistake_names_the_file_it_is_in() -> None:
    with pytest.raises(ConfigError, match=r"own\.toml: models\[0\]: unknown key 'idd'"):
        table().catalog('[[models]]\nidd = "x"', "own.toml")
