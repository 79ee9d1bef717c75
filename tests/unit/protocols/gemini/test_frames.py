import random

from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.gemini.frames import BareFramer
from tests.support.seeds import for_each_seed

WIRE = b'data: {"a":1}\n\n: note\n\ndata: {"b":2}\r\n\r\n\n\n{\n  "error": {\n    "code": 3\n  }\n}\n'


def frames(*chunks: bytes) -> list[bytes]:
    return [frame.data for frame in run(BareFramer(), chunks)]


def test_an_error_that_is_no_event_is_a_frame_like_the_events() -> None:
    assert frames(WIRE) == [b'{"a":1}', b'{"b":2}', b'{\n  "error": {\n    "code": 3\n  }\n}']
    assert frames(b'{"error":{}}') == [b'{"error":{}}']


def test_what_begins_like_json_in_the_middle_of_a_line_is_no_line() -> None:
    assert frames(b"data: ", b'{"a":', b"[1]}", b"\n\n") == [b'{"a":[1]}']


def test_any_split_of_the_bytes_gives_the_same_frames() -> None:
    def law(rng: random.Random) -> None:
        cuts = sorted(rng.randrange(len(WIRE) + 1) for _ in range(6))
        pieces = [WIRE[start:end] for start, end in zip([0, *cuts], [*cuts, len(WIRE)], strict=True)]
        assert frames(*pieces) == frames(WIRE)

    for_each_seed(300, law)
