from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import RateLimited
from iflow_cli_proxy.protocols.gemini.framing import ArrayFraming, EventFraming, Framing


def written(framing: Framing, *items: bytes) -> bytes:
    return b"".join([*(framing.frame(item) for item in items), *framing.end()])


def test_events_stand_alone() -> None:
    assert written(EventFraming(), b"{}", b"{}") == b"data: {}\n\ndata: {}\n\n"


def test_an_array_is_json_however_many_items_it_has() -> None:
    assert jsonx.decode(written(ArrayFraming())) == []
    assert jsonx.decode(written(ArrayFraming(), b"1")) == [1]
    assert jsonx.decode(written(ArrayFraming(), b"1", b"2", b"3")) == [1, 2, 3]


def test_an_error_ends_either_form() -> None:
    assert jsonx.decode(EventFraming().error(RateLimited("No.")))["error"]["code"] == 429
    framing = ArrayFraming()
    item, error = jsonx.decode(framing.frame(b"1") + framing.error(RateLimited("No.")))
    assert (item, error["error"]["code"]) == (1, 429)
