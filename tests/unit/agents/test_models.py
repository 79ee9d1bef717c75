"""Which of the gateway's models work for an agent."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.agents.base import GatewayModel
from iflow_cli_proxy.agents.models import read_models, target
from iflow_cli_proxy.core.errors import ConfigError

ROWS = {
    "data": [
        {"id": "glm-5", "context_window": 170000, "max_output_tokens": 32000, "vision": True, "thinking": "switchable"},
        {"id": "tiny", "thinking": "no"},
        {"id": ""},
        {"id": 7},
        "odd",
    ]
}
GLM = GatewayModel(id="glm-5", context_tokens=170000, output_tokens=32000, has_vision=True, thinks=True)
TINY = GatewayModel(id="tiny")


def test_rows_become_models_and_odd_ones_are_left_out() -> None:
    assert read_models(ROWS) == (GLM, TINY)
    assert read_models([]) == read_models({"data": None}) == ()


def test_the_first_one_listed_does_everything_unless_others_are_named() -> None:
    first = target("u", "k", (GLM, TINY))
    named = target("u", "k", (GLM, TINY), model="tiny", small_model="GLM-5")

    assert (first.big, first.small, first.models) == (GLM, GLM, (GLM, TINY))
    assert (named.big, named.small.context_tokens) == (TINY, 170000)


def test_a_model_named_with_its_provider_has_its_facts_and_a_strange_one_none() -> None:
    named = target("u", "k", (GLM,), model="desk/glm-5", small_model="alias")

    assert (named.big.id, named.big.context_tokens) == ("desk/glm-5", 170000)
    assert named.small == GatewayModel(id="alias")


def test_without_any_model_one_has_to_be_named() -> None:
    with pytest.raises(ConfigError, match="lists no models"):
        target("u", "k", ())
    assert target("u", "k", (), model="m").big.id == "m"
