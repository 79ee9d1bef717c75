from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import RateLimited
from iflow_cli_proxy.core.events import Ended, Reply, Started
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.ollama.voice import OllamaVoice

CHAT, BARE = OllamaVoice("chat", "m"), OllamaVoice("generate", "m")


def test_a_ping_is_a_line_that_says_nothing_in_the_clients_own_form() -> None:
    """Clients read every line."""
    assert jsonx.decode(CHAT.ping) == {"model": "m", "message": {"role": "assistant", "content": ""}, "done": False}
    assert jsonx.decode(BARE.ping) == {"model": "m", "response": "", "done": False}
    assert CHAT.ping.endswith(b"\n")


def test_answers_and_streams_are_in_the_clients_own_form() -> None:
    for voice, field in ((CHAT, "message"), (BARE, "response")):
        (line,) = run(voice.stream_encoder(EncodeOptions()), [Started(), Ended()])

        assert field in jsonx.decode(line)
        assert field in jsonx.decode(voice.encode_reply(Reply(), EncodeOptions()))


def test_an_error_is_a_line() -> None:
    assert CHAT.stream_error(RateLimited("No.")) == b'{"error":"No."}\n'
    assert CHAT.stream_type == "application/x-ndjson"
