from __future__ import annotations

from iflow_cli_proxy.routing.catalog import Catalog, Model


def test_an_alias_finds_its_row_and_an_id_goes_before_it() -> None:
    catalog = Catalog([Model(id="Big", aliases=("Large", "small")), Model(id="small")])
    large, small = catalog.find("LARGE"), catalog.find("small")
    assert large is not None
    assert small is not None
    assert (large.id, small.id) == ("Big", "small")
    assert catalog.find("") is None
