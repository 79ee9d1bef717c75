"""Which flights of a busy second are written down."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.server.ration import Ration
from iflow_cli_proxy.state.ledger_row import Attempt
from tests.support.ledgers import row

GOOD = row()
TWICE = row(attempts=(Attempt(account="a", route="p/m", error_kind="overloaded"), Attempt(account="b", route="p/m")))


def test_a_second_has_room_for_so_many_good_ones_and_the_next_one_again() -> None:
    ration = Ration()

    assert [ration.allows(GOOD, 2, now) for now in (7.0, 7.5, 7.9, 8.0)] == [True, True, False, True]


@pytest.mark.parametrize(
    "trouble", [row(status=502, error_kind="unreachable"), row(status=404), row(error_kind="client_gone"), TWICE]
)
def test_trouble_has_ten_times_the_room_and_takes_none_of_the_others(trouble: object) -> None:
    ration = Ration()

    assert sum(ration.allows(trouble, 2, 7.0) for _ in range(30)) == 20  # type: ignore[arg-type]
    assert ration.allows(GOOD, 2, 7.0)


def test_zero_is_no_limit() -> None:
    ration = Ration()

    assert all(ration.allows(GOOD, 0, 7.0) for _ in range(1000))
