import random

import pytest

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.ollama.lines import LineFramer
from tests.support.seeds import for_each_seed


def lines(*chunks: bytes) -> list[bytes]:
    return [frame.data for frame in run(LineFramer(), chunks)]


def test_every_line_is_a_frame_and_blank_ones_are_none() -> None:
    assert lines(b'{"a":1}\n\n  \r\n{"b":2}\n') == [b'{"a":1}', b'{"b":2}']


def test_the_last_line_needs_no_end() -> None:
    assert lines(b"a\nb") == [b"a", b"b"]


def test_the_end_of_a_line_may_have_two_characters_and_the_text_a_mark() -> None:
    assert [line.strip() for line in lines(b"\xef\xbb\xbfa\r", b"\nb\r\n")] == [b"a", b"b"]


def test_what_is_no_text_becomes_some() -> None:
    assert lines(b"\xff\n", "ü\n".encode()) == ["\ufffd".encode(), "ü".encode()]


def test_any_split_of_the_bytes_gives_the_same_lines() -> None:
    whole = '\ufeff{"a":"ü"}\r\n\n{"b":"😀"}\nrest'.encode()

    def law(rng: random.Random) -> None:
        cuts = sorted(rng.randrange(len(whole) + 1) for _ in range(6))
        pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        assert lines(*pieces) == lines(whole)

    for_each_seed(300, law)


def test_a_line_without_end_is_an_error_and_what_came_before_it_is_not_lost() -> None:
    framer = LineFramer(max_line_bytes=10)

    assert [frame.data for frame in framer.feed(b"good\n" + b"x" * 11)] == [b"good"]
    with pytest.raises(Malformed):
        framer.feed(b"x")
