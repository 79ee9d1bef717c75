"""A name to its routes."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import NoAccountAvailable, UnknownModel
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.resolve import Described, Route, RoutingTable, describe, larger_context, resolve


def table(**changes: object) -> RoutingTable:
    given: dict[str, object] = {
        "catalogs": {
            "iflow": Catalog([Model(id="glm-5"), Model(id="QWen3-4B")]),
            "desk": Catalog([Model(id="glm-5"), Model(id="meta/llama"), Model(id="kept:latest")]),
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
        ("glm-5:latest", ["iflow/glm-5", "desk/glm-5"]),
        ("desk/GLM-5:Latest", ["desk/glm-5"]),
        ("fast:latest", ["desk/glm-5"]),
        ("kept:latest", ["desk/kept:latest"]),
        ("unheard-of:latest", ["iflow/unheard-of:latest"]),
        (":latest", ["iflow/:latest"]),
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


# --- fallbacks ----------------------------------------------------------------------------------------------------


def names(asked: str, **changes: object) -> list[str]:
    return [str(route) for route in resolve(asked, table(**changes))]


def test_fallbacks_follow_in_their_order_and_say_what_they_are() -> None:
    routes = resolve("glm-5", table(fallbacks={"glm-5": ("qwen3-4b", "desk/z-ai/glm-4.7")}))
    assert [str(route) for route in routes] == ["iflow/glm-5", "desk/glm-5", "iflow/QWen3-4B", "desk/z-ai/glm-4.7"]
    assert [route.is_fallback for route in routes] == [False, False, True, True]
    assert [route.is_listed for route in routes] == [True, True, True, False]


@pytest.mark.parametrize("asked", ["GLM-5", "claude-opus", "glm-5(high)", "desk/glm-5", "fast", "desk/GLM-5(high)"])
def test_a_chain_belongs_to_the_model_however_it_was_asked_for(asked: str) -> None:
    assert names(asked, fallbacks={"glm-5": ("desk/x",)})[-1] == "desk/x"


def test_a_chain_for_the_name_asked_goes_before_that_of_what_it_stands_for() -> None:
    fallbacks = {"glm-*": ("desk/a",), "glm-5": ("desk/b",), "claude-opus": ("desk/c",), "desk/glm-5": ("desk/d",)}
    assert names("claude-opus", fallbacks=fallbacks)[-1] == "desk/c"
    assert names("claude-haiku", fallbacks=fallbacks)[-1] == "desk/b"
    assert names("desk/glm-5", fallbacks=fallbacks)[-1] == "desk/d"
    assert names("glm-4", fallbacks=fallbacks)[-1] == "desk/a"


def test_fallbacks_of_fallbacks_come_after_those_that_were_written_together() -> None:
    fallbacks = {"glm-5": ("qwen3-4b", "desk/b"), "qwen3-*": ("desk/c",)}
    assert names("glm-5", fallbacks=fallbacks)[2:] == ["iflow/QWen3-4B", "desk/b", "desk/c"]


def test_a_fallback_may_be_an_alias() -> None:
    assert names("qwen3-4b", fallbacks={"qwen3-4b": ("fast",)}) == ["iflow/QWen3-4B", "desk/glm-5"]


def test_chains_that_lead_in_a_ring_end_and_no_route_is_walked_twice() -> None:
    ring = {"glm-5": ("qwen3-4b",), "qwen3-4b": ("desk/glm-5", "meta/llama"), "*": ("glm-5",)}
    assert names("glm-5", fallbacks=ring) == ["iflow/glm-5", "desk/glm-5", "iflow/QWen3-4B", "desk/meta/llama"]


def test_no_more_than_sixteen_routes_are_kept() -> None:
    assert len(names("glm-5", fallbacks={"*": tuple(f"desk/m{number}" for number in range(99))})) == 16


def test_a_wish_goes_along_to_models_of_the_same_provider() -> None:
    fallbacks = {"qwen3-4b": ("glm-5", "glm-5(low)", "meta/llama")}
    assert names("QWen3-4b(high)", fallbacks=fallbacks) == [
        "iflow/QWen3-4B(high)",
        "iflow/glm-5(high)",
        "desk/glm-5",
        "iflow/glm-5(low)",
        "desk/glm-5(low)",
        "desk/meta/llama",
    ]


def test_a_model_that_is_gone_is_stood_in_for_although_unknown_ones_are_refused() -> None:
    routes = resolve("gone", table(passes_unknown=False, fallbacks={"gone": ("glm-5", "nowhere")}))
    assert [str(route) for route in routes] == ["iflow/glm-5", "desk/glm-5"]
    assert all(route.is_fallback for route in routes)
    with pytest.raises(UnknownModel):
        resolve("gone", table(passes_unknown=False, fallbacks={"gone": ("nowhere",)}))


def test_an_unknown_model_is_passed_on_before_its_fallbacks_are_tried() -> None:
    assert names("new", fallbacks={"new": ("desk/glm-5",)}) == ["iflow/new", "desk/glm-5"]


def test_a_fallback_at_a_provider_that_is_not_here_is_left_out() -> None:
    assert names("qwen3-4b", fallbacks={"qwen3-4b": ("openrouter/z-ai/glm-4.7", "desk/x")})[1:] == ["desk/x"]
    lists_nothing = {"router": Catalog(), "desk": Catalog([Model(id="tiny")])}
    assert names("tiny", catalogs=lists_nothing, fallbacks={"tiny": ("z-ai/glm-4.7",)})[1:] == ["router/z-ai/glm-4.7"]


# --- larger windows -----------------------------------------------------------------------------------------------


def windows(**tokens: int) -> Catalog:
    return Catalog(Model(id=id.replace("_", "-"), context_tokens=count) for id, count in tokens.items())


def larger(asked: str, given: RoutingTable, at: int = 0) -> list[str]:
    routes = resolve(asked, given)
    return [str(route) for route in larger_context(routes, routes[at], given)]


def test_a_prompt_that_is_too_long_goes_on_to_larger_windows_of_the_chain_alone() -> None:
    given = RoutingTable(
        catalogs={"one": windows(m=100, small=50, big=1000, same=100), "two": windows(m=200)},
        fallbacks={"m": ("small", "same", "big", "one/unknown")},
    )
    assert larger("m", given) == ["two/m", "one/big"]
    assert larger("m", given, at=1) == ["one/big"]
    assert larger("big", given) == []


def test_where_no_window_is_known_every_known_one_may_be_larger() -> None:
    given = RoutingTable(catalogs={"one": windows(m=0, big=1000, other=0)}, fallbacks={"m": ("other", "big")})
    assert larger("m", given) == ["one/big"]


def test_the_same_model_with_a_longer_window_is_found_without_being_named() -> None:
    catalog = windows(kimi_8k=8, kimi_128k=128, kimi_32k=32, kimi_4k=4, kimi_pro_256k=256)
    catalog.add([Model(id="kimi-1m", context_tokens=1000, is_hidden=True)])
    given = RoutingTable(catalogs={"one": catalog, "two": windows(kimi_64k=64)}, fallbacks={"kimi-8k": ("kimi-128k",)})
    assert larger("kimi-8k", given) == ["one/kimi-128k", "one/kimi-32k"]
    assert larger("one/kimi-8k(high)", given) == ["one/kimi-128k(high)", "one/kimi-32k(high)"]
    assert larger("kimi-128k", given) == []


def test_models_that_nobody_named_are_not_offered_for_a_long_prompt() -> None:
    given = RoutingTable(catalogs={"one": windows(glm_5=100, glm_5_flash=1000, glm_6=1000)})
    assert larger("glm-5", given) == []
    assert larger("one/unheard-of", given) == []


def test_a_route_carries_the_window_of_its_model() -> None:
    given = RoutingTable(catalogs={"one": windows(m=100)})
    assert [route.context_tokens for route in resolve("m(high)", given)] == [100]
    assert [route.context_tokens for route in resolve("unheard-of", given)] == [0]
