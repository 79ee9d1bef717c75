from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import Busy
from iflow_cli_proxy.core.room import Room


def test_all_share_one_room_and_nobody_waits_for_it() -> None:
    room = Room(100)
    one, other = room.share(), room.share()
    one.take(60)
    other.take(40)

    with pytest.raises(Busy) as caught:
        one.take(1)
    assert caught.value.retry_after_s

    other.give_back()
    one.take(40)
    assert room.left == 0


def test_what_is_given_back_twice_is_given_back_once() -> None:
    room = Room(100)
    share = room.share()
    share.take(30)
    share.give_back()
    share.give_back()

    assert room.left == 100
