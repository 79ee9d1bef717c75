"""The key's variable."""

from __future__ import annotations

from iflow_cli_proxy.agents.base import KEY_VARIABLE, key_variable
from tests.support.agent_scene import goal


def test_a_key_is_exported_and_a_word_that_is_none_is_not() -> None:
    assert key_variable(goal(key="sk-1")) == {KEY_VARIABLE: "sk-1"}
    assert key_variable(goal()) == {}
