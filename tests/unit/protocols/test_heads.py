from __future__ import annotations

import pytest

from iflow_cli_proxy.protocols.heads import epoch_of


@pytest.mark.parametrize(
    ("said", "epoch"),
    [(1_700_000_000, 1_700_000_000), (1.7e9, 1_700_000_000), (0, 0), (-5, 0), (1e300, 0), ("yesterday", 0), (None, 0)],
)
def test_a_date_that_is_none_is_as_good_as_no_date(said: object, epoch: int) -> None:
    assert epoch_of(said) == epoch
