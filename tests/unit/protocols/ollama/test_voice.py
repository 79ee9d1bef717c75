from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import RateLimited
from iflow_cli_proxy.core.events import Ended, Reply, Started
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.ollama import CODEC
from iflow_cli_proxy.protocols.ollama.voice import OllamaVoice

CHAT, BARE = OllamaVoice("chat", "m"), OllamaVoice("generate", "m")


def test_a_ping_is_a_line_that_says_nothing_in_the_clients_own_form() -> None:
    """Clients read every line."""
    head = {"model": "m", "created_at": "1970-01-01T00:00:00Z"}
    assert jsonx.decode(OllamaVoice("chat", "m").ping) == {
        **head,
        "message": {"role": "assistant", "content": ""},
        "done": False,
    }
    assert jsonx.decode(OllamaVoice("generate", "m").ping) == {**head, "response": "", "done": False}
    assert CHAT.ping.endswith(b"\n")


def test_a_ping_within_an_answer_has_the_date_of_the_answer() -> None:
    voice = OllamaVoice("chat", "m")
    voice.stream_encoder(EncodeOptions(created=86_400))

    assert jsonx.decode(voice.ping)["created_at"] == "1970-01-02T00:00:00Z"


def test_the_codec_remembers_no_client() -> None:
    before = CODEC.ping
    CODEC.stream_encoder(EncodeOptions(created=86_400))

    assert CODEC.ping == before


def test_answers_and_streams_are_in_the_clients_own_form() -> None:
    for voice, field in ((CHAT, "message"), (BARE, "response")):
        (line,) = run(voice.stream_encoder(EncodeOptions()), [Started(), Ended()])

        assert field in jsonx.decode(line)
        assert field in jsonx.decode(voice.encode_reply(Reply(), EncodeOptions()))


def test_an_error_is_a_line() -> None:
    assert CHAT.stream_error(RateLimited("No.")) == b'{"error":"No."}\n'
    assert CHAT.stream_type == "application/x-ndjson"
