"""A name to its routes."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import NoAccountAvailable, UnknownModel
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.resolve import Described, Route, RoutingTable, describe, resolve


def table(**changes: object) -> RoutingTable:
    given: dict[str, object] = {
        "catalogs": {
            "iflow": Catalog([Model(id="glm-5"), Model(id="QWen3-4B")]),
            "desk": Catalog([Model(id="glm-5"), Model(id="meta/llama")]),
        },
        "aliases": {"claude-*": "glm-5", "fast": "desk/glm-5", "loop": "pool", "pool": "loop"},
    }
    return RoutingTable(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "routes"),
    [
        ("glm-5", ["iflow/glm-5", "desk/glm-5"]),
        ("GLM-5", ["iflow/glm-5", "desk/glm-5"]),
        ("qwen3-4b", ["iflow/QWen3-4B"]),
        ("desk/glm-5", ["desk/glm-5"]),
        ("Desk/GLM-5", ["desk/glm-5"]),
        ("meta/llama", ["desk/meta/llama"]),
        ("desk/unheard-of", ["desk/unheard-of"]),
        ("claude-opus-4", ["iflow/glm-5", "desk/glm-5"]),
        ("fast", ["desk/glm-5"]),
        ("glm-5(high)", ["iflow/glm-5(high)", "desk/glm-5(high)"]),
        ("unheard-of", ["iflow/unheard-of"]),
    ],
)
def test_a_name_becomes_these_routes(asked: str, routes: list[str]) -> None:
    assert [str(route) for route in resolve(asked, table())] == routes


def test_the_default_provider_comes_first_and_takes_unknown_models() -> None:
    assert [str(route) for route in resolve("glm-5", table(default_provider="desk"))] == ["desk/glm-5", "iflow/glm-5"]
    assert resolve("unheard-of", table(default_provider="desk")) == (
        Route(provider="desk", model="unheard-of", is_listed=False),
    )


def test_unknown_models_can_be_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownModel) as raised:
        resolve("glm-55", table(passes_unknown=False))
    assert raised.value.param == "model"
    assert "`glm-5`" in raised.value.message


def test_an_alias_wins_over_a_model_of_the_same_name_and_exact_over_glob() -> None:
    aliases = {"glm-*": "meta/llama", "glm-5": "qwen3-4b"}
    assert [str(route) for route in resolve("glm-5", table(aliases=aliases))] == ["iflow/QWen3-4B"]


def test_aliases_that_point_at_each_other_end_somewhere() -> None:
    assert len(resolve("loop", table())) == 1


def test_a_model_may_have_brackets_in_its_own_name() -> None:
    catalogs = {"desk": Catalog([Model(id="Coder (30B)")])}
    assert resolve("coder (30b)", table(catalogs=catalogs))[0].is_listed


def test_a_name_is_described_by_what_would_answer() -> None:
    assert describe("Claude-Opus", table()) == Described(provider="iflow", model=Model(id="glm-5"))
    assert describe("desk/GLM-5(high)", table()) == Described(provider="desk", model=Model(id="glm-5"))
    assert describe("new", table(aliases={"new": "desk/x"})) == Described(provider="desk", model=Model(id="new"))


def test_a_name_that_is_only_passed_on_is_described_by_nothing() -> None:
    assert describe("unheard-of", table()) is None
    assert describe("desk/unheard-of", table()) is None
    assert describe("unheard-of", table(passes_unknown=False)) is None
    assert describe("glm-5", RoutingTable(catalogs={})) is None


def test_without_providers_the_next_step_is_named() -> None:
    with pytest.raises(NoAccountAvailable) as raised:
        resolve("glm-5", RoutingTable(catalogs={}))
    assert "iflow2api serve" in raised.value.hint
