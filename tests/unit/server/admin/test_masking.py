from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.server.admin.masking import MaskWatch
from tests.support.admin_socket import BINARY, PING, TEXT, frame

GOOD = frame(TEXT, b"{}") + frame(PING) + frame(BINARY, b"x" * 300) + frame(TEXT, b"\x00\x01" * 40_000) + frame(TEXT)


@pytest.mark.parametrize("seed", range(5))
def test_masked_frames_pass_however_they_are_cut(seed: int) -> None:
    watch, chance, at = MaskWatch(), random.Random(seed), 0
    while at < len(GOOD):
        size = chance.choice((1, 2, 3, 7, 5000))
        assert watch.feed(GOOD[at : at + size])
        at += size


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_frame_without_a_mask_is_seen_after_any_others(cut: int) -> None:
    bad = frame(TEXT, b"{}", masks=False)
    watch = MaskWatch()

    assert watch.feed(GOOD)
    assert not (watch.feed(bad[:cut]) and watch.feed(bad[cut:]))


def test_a_length_of_2_to_the_63_is_waited_for_and_not_made() -> None:
    assert MaskWatch().feed(b"\x81\xff\x80" + b"\x00" * 7 + b"mask" + b"x" * 100)
