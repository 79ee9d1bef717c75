from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import RateLimited
from iflow_cli_proxy.core.events import ChoiceEnded, Delta, Ended, PartEnded, PartKind, PartStarted, Reply, Started
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.gemini.voice import ArrayVoice

BEGINNING = [Started(id="r"), PartStarted(part=0, kind=PartKind.TEXT), Delta(part=0, text="a"), Delta(part=0, text="b")]
ENDING = [PartEnded(part=0), ChoiceEnded(), Ended()]
ERROR = RateLimited("Slow down.")


def texts(items: Any) -> list[str]:
    return [item["candidates"][0]["content"]["parts"][0]["text"] for item in items]


def test_a_stream_is_one_json_array() -> None:
    items = jsonx.decode(b"".join(run(ArrayVoice().stream_encoder(EncodeOptions()), [*BEGINNING, *ENDING])))

    assert texts(items) == ["a", "b", ""]
    assert items[-1]["candidates"][0]["finishReason"] == "STOP"


def test_an_error_goes_on_where_the_array_stands() -> None:
    voice = ArrayVoice()
    wire = b"".join(run(voice.stream_encoder(EncodeOptions()), BEGINNING)) + voice.stream_error(ERROR)

    *items, error = jsonx.decode(wire)
    assert texts(items) == ["a", "b"]
    assert error["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_an_error_before_anything_is_an_array_of_its_own() -> None:
    (error,) = jsonx.decode(ArrayVoice().stream_error(ERROR))

    assert error["error"]["code"] == 429


def test_what_an_attempt_said_that_was_given_up_is_forgotten() -> None:
    voice = ArrayVoice()
    run(voice.stream_encoder(EncodeOptions()), BEGINNING)

    assert b"".join(run(voice.stream_encoder(EncodeOptions()), BEGINNING)).startswith(b"[")


def test_nothing_stands_between_items() -> None:
    assert ArrayVoice().ping == b""
    assert ArrayVoice().stream_type.startswith("application/json")
    assert jsonx.decode(ArrayVoice().encode_reply(Reply(), EncodeOptions()))["candidates"] == []
