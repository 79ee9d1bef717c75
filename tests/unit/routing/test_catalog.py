from __future__ import annotations

from iflow_cli_proxy.routing.catalog import Catalog, Model


def test_a_row_is_found_in_any_case_and_a_later_one_replaces_it() -> None:
    catalog = Catalog([Model(id="Big", context_tokens=1)])
    catalog.add([Model(id="big", context_tokens=2)])
    found = catalog.find("BIG")
    assert found is not None
    assert (found.id, found.context_tokens, len(catalog)) == ("big", 2, 1)


def test_an_alias_finds_its_row_and_an_id_goes_before_it() -> None:
    catalog = Catalog([Model(id="Big", aliases=("Large", "small")), Model(id="small")])
    large, small = catalog.find("LARGE"), catalog.find("small")
    assert large is not None
    assert small is not None
    assert (large.id, small.id) == ("Big", "small")
    assert catalog.find("") is None


def test_what_the_upstream_lists_is_added_without_touching_richer_rows() -> None:
    catalog = Catalog([Model(id="big", context_tokens=9)])
    catalog.merge_remote([Model(id="Big"), Model(id="new")])
    assert [(model.id, model.context_tokens) for model in catalog] == [("big", 9), ("new", 0)]


def test_hidden_rows_can_be_asked_for_and_are_not_listed() -> None:
    catalog = Catalog([Model(id="a"), Model(id="b", is_hidden=True)])
    assert [model.id for model in catalog.listed()] == ["a"]
    assert catalog.find("b") is not None
