import re
import uuid
from collections.abc import Callable

import pytest

from iflow_cli_proxy.core import ids
from iflow_cli_proxy.core.ids import Entropy
from tests.support.entropy import counting_entropy


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (ids.request_id, r"req_[0-9a-f]{24}"),
        (ids.uuid4, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    ],
)
def test_an_id_has_its_form_and_draws_anew_each_time(make: Callable[[Entropy], str], form: str) -> None:
    entropy = counting_entropy()
    made = [make(entropy) for _ in range(3)]

    assert all(re.fullmatch(form, one) for one in made)
    assert len(set(made)) == 3


@pytest.mark.parametrize("byte", [b"\x00", b"\xff", b"\x5a"])
def test_a_uuid_is_a_random_one_whatever_the_entropy(byte: bytes) -> None:
    made = uuid.UUID(ids.uuid4(lambda size: byte * size))

    assert made.version == 4
    assert made.variant == uuid.RFC_4122


def test_a_completion_bears_the_number_of_its_request() -> None:
    assert ids.completion_id("req_0a1b") == "chatcmpl-0a1b"


def test_the_same_entropy_gives_the_same_id() -> None:
    assert ids.request_id(lambda size: b"\x01" * size) == "req_" + "01" * 12


def test_buffered_entropy_hands_out_every_byte_once_and_in_order() -> None:
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    take = ids.buffered(source, size=10)
    assert (take(4), take(6), take(3)) == (bytes(range(4)), bytes(range(4, 10)), bytes(range(3)))
    assert len(take(50)) == 50
    assert asked == [10, 10, 50]


def test_buffered_entropy_asks_seldom_and_hands_no_byte_out_twice() -> None:
    asked: list[int] = []

    def source(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)] * size)

    take = ids.buffered(source, size=10)
    drawn = [take(count) for count in (4, 4, 4, 30)]

    assert [len(one) for one in drawn] == [4, 4, 4, 30]
    assert asked == [10, 10, 30]
    assert drawn == [b"\x01" * 4, b"\x01" * 4, b"\x02" * 4, b"\x03" * 30]
