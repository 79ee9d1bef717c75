"""Names, globs and aliases."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.routing.names import entry_for, family, through_aliases


def test_a_full_name_goes_before_a_glob_and_an_earlier_name_before_a_later_one() -> None:
    table = {"*": 1, "glm-*": 2, "GLM-5": 3, "Fast": 4}
    assert entry_for(["glm-5"], table) == ("GLM-5", 3)
    assert entry_for(["claude", "FAST", "glm-5"], table) == ("Fast", 4)
    assert entry_for(["glm-4"], table) == ("*", 1)


def test_nothing_is_written_for_a_stranger() -> None:
    assert entry_for(["glm-5"], {}) is None
    assert entry_for(["glm-5"], {"qwen*": 1}) is None
    assert entry_for([], {"*": 1}) is None


def test_brackets_in_a_name_are_matched_as_they_are_when_it_is_written_in_full() -> None:
    assert entry_for(["claude-opus[1m]"], {"claude-opus[1m]": 1}) == ("claude-opus[1m]", 1)


def test_the_way_through_aliases_is_told_step_by_step() -> None:
    aliases = {"claude-*": "fast", "fast": "desk/glm-5"}
    assert through_aliases("claude-opus", aliases) == ("claude-opus", "fast", "desk/glm-5")
    assert through_aliases("glm-5", aliases) == ("glm-5",)


def test_a_ring_of_aliases_is_walked_once() -> None:
    assert through_aliases("a", {"a": "b", "b": "c", "c": "a"}) == ("a", "b", "c")
    assert len(through_aliases("x0", {f"x{n}": f"x{n + 1}" for n in range(50)})) == 9


def test_an_alias_may_change_the_case_alone() -> None:
    assert through_aliases("coder", {"coder": "Coder"}) == ("coder", "Coder")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("moonshot-v1-8k", "Moonshot-V1-128k"),
        ("qwen", "qwen-long"),
        ("opus", "opus[1m]"),
        ("kimi-8k:free", "kimi:free"),
    ],
)
def test_one_model_with_windows_of_several_lengths_is_a_family(one: str, other: str) -> None:
    assert family(one) == family(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("glm-5", "glm-5-flash"),
        ("glm-5", "glm-4.7"),
        ("qwen3-30b", "qwen3-235b"),
        ("kimi-k2", "kimi-k2-thinking"),
        ("kimi", "kimi:free"),
        ("a/kimi", "kimi"),
    ],
)
def test_another_size_version_or_price_is_another_family(one: str, other: str) -> None:
    assert family(one) != family(other)
