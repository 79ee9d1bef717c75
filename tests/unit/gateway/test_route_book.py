"""Where a name may go, and for whom."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import Forbidden, UnknownModel
from iflow_cli_proxy.gateway.route_book import RouteBook
from iflow_cli_proxy.pool.client_key import ClientKey
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.resolve import RoutingTable


def book(**changes: object) -> RouteBook:
    given: dict[str, object] = {
        "catalogs": {"iflow": Catalog([Model(id="glm-5"), Model(id="glm-4.7")]), "desk": Catalog([Model(id="tiny")])},
        "default_provider": "iflow",
        "aliases": {"claude-*": "glm-5"},
        "fallbacks": {"glm-5": ("glm-4.7", "desk/tiny")},
    }
    return RouteBook(RoutingTable(**{**given, **changes}))  # type: ignore[arg-type]


def key(*models: str) -> ClientKey:
    return ClientKey(name="team", digest=b"d", models=models)


def names(book: RouteBook, asked: str, caller: ClientKey | None = None) -> list[str]:
    return [str(route) for route in book.routes(asked, caller)]


def test_without_a_limited_key_every_route_is_open() -> None:
    everything = ["iflow/glm-5", "iflow/glm-4.7", "desk/tiny"]

    assert names(book(), "claude-opus") == names(book(), "claude-opus", key()) == everything


@pytest.mark.parametrize(
    ("models", "left"),
    [
        (("claude-*",), ["iflow/glm-5"]),
        (("glm-5", "tiny"), ["iflow/glm-5", "desk/tiny"]),
        (("iflow/*",), ["iflow/glm-5", "iflow/glm-4.7"]),
        (("tiny",), ["desk/tiny"]),
    ],
)
def test_a_key_takes_the_name_or_what_it_stands_for_and_a_fallback_only_by_its_own(
    models: tuple[str, ...], left: list[str]
) -> None:
    assert names(book(), "claude-opus", key(*models)) == left


def test_a_key_for_nothing_of_it_is_refused() -> None:
    with pytest.raises(Forbidden):
        book().routes("claude-opus", key("gpt-*"))


def test_a_name_nobody_has_is_unknown_where_it_is_not_passed_on() -> None:
    with pytest.raises(UnknownModel):
        book(passes_unknown=False).routes("unheard-of", None)


def test_the_table_of_a_key_has_its_models_only() -> None:
    one = book()

    left = one.table_for(key("glm-*"))

    assert {name: [model.id for model in catalog] for name, catalog in left.catalogs.items()} == {
        "iflow": ["glm-5", "glm-4.7"],
        "desk": [],
    }
    assert one.table_for(key("glm-*")) is left


def test_the_words_tell_of_an_alias_and_leave_out_prompts_that_are_too_long() -> None:
    words = book().words("claude-opus")

    assert words.alias_of == "glm-5"
    assert "models.aliases has `claude-*`" in words.steps[0]
    assert not any("too long" in step for step in words.steps)


def test_names_from_clients_do_not_pile_up() -> None:
    one = book()
    for number in range(3000):
        one.routes(f"made-up-{number}", None)
        one.words(f"made-up-{number}")

    assert len(one._routes) == len(one._words) == 1024
