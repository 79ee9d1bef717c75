"""Routing decisions in words."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import UnknownModel
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.explain import alias_of, explain
from iflow_cli_proxy.routing.resolve import RoutingTable, resolve


def table(**changes: object) -> RoutingTable:
    given: dict[str, object] = {
        "catalogs": {
            "iflow": Catalog([Model(id="glm-5", context_tokens=170_000), Model(id="glm-4.7")]),
            "desk": Catalog([Model(id="glm-5", context_tokens=200_000), Model(id="tiny", context_tokens=4_000)]),
        },
        "default_provider": "iflow",
    }
    return RoutingTable(**{**given, **changes})  # type: ignore[arg-type]


def steps(asked: str, **changes: object) -> tuple[str, ...]:
    return explain(asked, table(**changes)).steps


def test_every_step_of_a_decision_is_told_in_order() -> None:
    given = table(aliases={"claude-*": "glm-5"}, fallbacks={"glm-5": ("glm-4.7", "desk/other")})
    decision = explain("claude-opus", given)
    assert decision.routes == resolve("claude-opus", given)
    assert decision.steps == (
        "`claude-opus` is an alias of `glm-5`: models.aliases has `claude-*`.",
        "`glm-5` is listed by iflow and desk; iflow comes first as the default provider.",
        "`glm-4.7` is a fallback: routing.fallbacks names it for `glm-5`.",
        "`glm-4.7` is listed by iflow.",
        "`desk/other` is a fallback: routing.fallbacks names it for `glm-5`.",
        "`desk/other` names its provider, desk, which does not list the model; it is asked all the same.",
        "A prompt that is too long for iflow/glm-5 (170,000 tokens) goes to desk/glm-5 (200,000 tokens).",
    )


def test_an_alias_written_in_full_needs_no_pattern() -> None:
    assert steps("fast", aliases={"Fast": "tiny"})[0] == "`fast` is an alias of `tiny`."


def test_names_that_nobody_lists_are_passed_on_or_left_out() -> None:
    assert steps("new")[0] == "Nobody lists `new`; it is passed on to iflow, which takes unknown models."
    left_out = "No provider lists `new`, and unknown models are not passed on: it is left out."
    assert left_out in steps("tiny", passes_unknown=False, fallbacks={"tiny": ("new",)})
    left_out = "No provider lists `far/new`, and it looks like the address of another: it is left out."
    assert left_out in steps("tiny", fallbacks={"tiny": ("far/new",)})


def test_that_no_longer_window_is_known_is_said() -> None:
    assert steps("tiny")[-1] == "No route is known to take a longer prompt than desk/tiny (4,000 tokens)."
    assert steps("new")[-1] == "No route is known to take a longer prompt than iflow/new (window unknown)."


def test_a_chain_that_is_too_long_is_said_to_be_cut() -> None:
    chain = tuple(f"desk/m{number}" for number in range(40))
    told = steps("glm-5", fallbacks={"glm-5": chain})
    assert "No more than 16 routes are kept; what is written after them is left out." in told
    assert "m39" not in "".join(told)


def test_a_name_that_leads_nowhere_is_the_error_it_would_be() -> None:
    with pytest.raises(UnknownModel):
        steps("new", passes_unknown=False)


def test_an_alias_is_told_by_what_it_stands_for_in_the_end() -> None:
    given = table(aliases={"claude-*": "fast", "fast": "glm-5"})
    assert [alias_of(asked, given) for asked in ("claude-opus", "fast", "glm-5", "nobody")] == [
        "glm-5",
        "glm-5",
        "",
        "",
    ]
