from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.core.events import Delta, Ended, Event, PartEnded, PartKind, PartStarted, Reply, Started
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses import CODEC
from iflow_cli_proxy.protocols.openai_responses.voice import ClientVoice
from tests.support.goldens import inbound

OPTIONS = EncodeOptions(id="chatcmpl-1", created=5, model="m")


def voice() -> ClientVoice:
    return CODEC.voice(CODEC.read_envelope(inbound(CODEC, b'{"model":"m","input":"Hi","temperature":0.5}')))


def numbers(wire: bytes) -> list[int]:
    return [jsonx.decode(frame.data)["sequence_number"] for frame in run(Framer(), [wire])]


def test_an_error_goes_on_counting_after_the_latest_attempt() -> None:
    one = voice()
    one.stream_encoder(OPTIONS).feed(Started())
    encoder = one.stream_encoder(OPTIONS)
    begun = b"".join(
        frame
        for event in (Started(), PartStarted(part=0, kind=PartKind.TEXT), Delta(part=0, text="a"))
        for frame in encoder.feed(event)
    )

    assert numbers(begun + one.stream_error(Overloaded("No."))) == list(range(6))


def test_an_error_before_any_attempt_is_a_stream_of_its_own() -> None:
    wire = voice().stream_error(Overloaded("No."))

    assert numbers(wire) == [0, 1, 2]
    assert jsonx.decode(run(Framer(), [wire])[-1].data)["response"]["temperature"] == 0.5


def test_the_finished_response_of_a_stream_is_kept() -> None:
    one = voice()
    assert one.response is None

    events: list[Event] = [Started(), PartStarted(part=0, kind=PartKind.TEXT), PartEnded(part=0), Ended()]
    wire = b"".join(run(one.stream_encoder(OPTIONS), events))

    assert one.response == jsonx.decode(run(Framer(), [wire])[-1].data)["response"]


def test_so_is_a_whole_answer() -> None:
    one = voice()
    body = one.encode_reply(Reply(), OPTIONS)

    assert one.response == jsonx.decode(body)
