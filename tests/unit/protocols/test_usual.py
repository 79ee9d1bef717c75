from __future__ import annotations

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.openai_chat import CODEC as CHAT
from iflow_cli_proxy.protocols.usual import EventCodec, UsualCodec
from tests.support.goldens import inbound


def test_what_a_codec_does_not_say_is_as_most_are() -> None:
    body = jsonx.encode({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    envelope = CHAT.read_envelope(inbound(CHAT, body))
    codec = UsualCodec()

    assert not codec.is_passed_on
    assert codec.end_marker == b""
    assert codec.picture_marks == ()
    assert codec.answer_at_once(envelope, 1.0) is None
    assert codec.repair(envelope) == (envelope, ())
    assert codec.find_images(envelope) == ()
    assert codec.replace_images(envelope, {}) is envelope
    assert codec.count_choices(body) == 1
    assert not codec.carries_reasoning(b'{"choices":[{"delta":{"reasoning":"hm"}}]}')


def test_who_speaks_in_events_has_their_type_and_their_framer() -> None:
    assert EventCodec.stream_type.startswith("text/event-stream")
    assert isinstance(EventCodec().framer(), Framer)


def test_every_codec_is_one() -> None:
    assert [name for name, codec in CODECS.items() if not isinstance(codec, UsualCodec)] == []
