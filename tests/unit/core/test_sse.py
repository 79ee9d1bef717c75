import pytest

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.sse import MAX_EVENT_BYTES, Frame, Framer, encode_frame
from iflow_cli_proxy.core.stage import run

ODDITIES = [
    ("one line", b"data: a\n\n", [Frame(b"a")]),
    ("no space", b"data:a\n\n", [Frame(b"a")]),
    ("only the first space goes", b"data:  a\n\n", [Frame(b" a")]),
    ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", [Frame(b"a"), Frame(b"b")]),
    ("CR", b"data: a\r\rdata: b\r\r", [Frame(b"a"), Frame(b"b")]),
    ("mixed line ends", b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [Frame(b"a"), Frame(b"b"), Frame(b"c")]),
    ("two data lines", b"data: a\ndata: b\n\n", [Frame(b"a\nb")]),
    ("data line without colon", b"data: a\ndata\n\n", [Frame(b"a\n")]),
    ("comments", b": hi\n\n:\ndata: a\n: x\n\n", [Frame(b"a")]),
    ("event names", b"event: ping\ndata: {}\n\nevent:x\ndata:y\n\n", [Frame(b"{}", "ping"), Frame(b"y", "x")]),
    ("event without data", b"event: ping\n\ndata: a\n\n", [Frame(b"a")]),
    ("empty data", b"data:\n\ndata: \n\ndata\n\ndata: a\n\n", [Frame(b"a")]),
    ("other fields", b"id: 1\nretry: 5\ndata: a\nfoo: bar\n\n", [Frame(b"a")]),
    ("byte order mark", b"\xef\xbb\xbfdata: a\n\n", [Frame(b"a")]),
    ("byte order mark later on is text", b"data: \xef\xbb\xbfa\n\n", [Frame(b"\xef\xbb\xbfa")]),
    ("many blank lines", b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [Frame(b"a"), Frame(b"b")]),
    ("no blank line at the end", b"data: a\n\ndata: b\n", [Frame(b"a"), Frame(b"b")]),
    ("no line end at the end", b"data: a\n\ndata: b", [Frame(b"a"), Frame(b"b")]),
    ("CR at the very end", b"data: a\r\r\ndata: b\r", [Frame(b"a"), Frame(b"b")]),
    ("characters of many bytes", "data: é你😀\n\n".encode(), [Frame("é你😀".encode())]),
    ("bytes that are not UTF-8", b"data: a\xffb\xe4\xbd\n\n", [Frame("a\ufffdb\ufffd".encode())]),
    ("the same at the end", b"data: a\xf0\x9f", [Frame("a\ufffd".encode())]),
    ("other line separators are text", "data: a\u2028b\x0bc\x85\n\n".encode(), [Frame("a\u2028b\x0bc\x85".encode())]),
    ("NUL", b"data: a\x00b\n\n", [Frame(b"a\x00b")]),
    ("nothing", b"", []),
    ("only comments", b": ping\n\n: ping\n\n", []),
]


@pytest.mark.parametrize(("wire", "frames"), [row[1:] for row in ODDITIES], ids=[row[0] for row in ODDITIES])
def test_frames_come_out_whole(wire: bytes, frames: list[Frame]) -> None:
    assert run(Framer(), [wire]) == frames


@pytest.mark.parametrize(("wire", "frames"), [row[1:] for row in ODDITIES], ids=[row[0] for row in ODDITIES])
def test_f18_f42_every_cut_in_two_and_every_byte_alone_gives_the_same_frames(wire: bytes, frames: list[Frame]) -> None:
    for at in range(len(wire) + 1):
        assert run(Framer(), [wire[:at], wire[at:]]) == frames
        assert run(Framer(), [wire[:at], b"", wire[at:]]) == frames
    assert run(Framer(), [wire[at : at + 1] for at in range(len(wire))]) == frames


def test_a_frame_comes_out_as_soon_as_its_blank_line_is_there() -> None:
    framer = Framer()

    assert framer.feed(b"data: a\r\n\r") == [Frame(b"a")]
    assert framer.feed(b"\ndata: b\n\ndata: c") == [Frame(b"b")]
    assert framer.feed(b"\n") == []
    assert framer.feed(b"\n") == [Frame(b"c")]
    assert framer.close() == []


def test_f31_whatever_comes_in_what_comes_out_is_utf8() -> None:
    for byte in range(256):
        for frame in run(Framer(), [b"data: x" + bytes([byte]) + b"y\n\n"]):
            frame.data.decode()


def test_f44_an_event_without_end_is_refused_and_what_came_before_is_handed_out() -> None:
    framer = Framer(max_event_bytes=100)

    assert framer.feed(b"data: a\n\ndata: " + b"x" * 101) == [Frame(b"a")]
    with pytest.raises(Malformed, match="too large"):
        framer.feed(b"x")


def test_f44_an_event_that_grows_by_small_pieces_is_refused_at_the_limit() -> None:
    framer = Framer(max_event_bytes=1000)
    for _ in range(1000):
        framer.feed(b"x")
    with pytest.raises(Malformed):
        framer.feed(b"x")


def test_a_large_event_below_the_limit_passes() -> None:
    data = b"x" * (MAX_EVENT_BYTES - 100)

    assert run(Framer(), [b"data: ", data, b"\n\n"]) == [Frame(data)]


@pytest.mark.parametrize("frame", [Frame(b"{}"), Frame(b'{"a":1}', "ping"), Frame("é".encode())])
def test_an_encoded_frame_is_read_back(frame: Frame) -> None:
    assert run(Framer(), [encode_frame(frame.data, frame.event)]) == [frame]
