import pytest

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.gemini.errors import decode_error
from iflow_cli_proxy.protocols.gemini.tap import StreamTap, carries_content

TEXT = b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0}]}'
END = b'{"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":2}}'


def tap(choices: int = 1) -> StreamTap:
    return StreamTap(decode_error, frozenset({"network_error"}), choices)


def test_it_is_finished_when_every_answer_has_said_why_it_ended() -> None:
    one, two = tap(), tap(2)
    for looking in (one, two):
        assert looking.look(TEXT) is Seen.CONTENT
        assert not looking.is_finished
        assert looking.look(END) is Seen.CONTENT

    assert one.is_finished
    assert one.usage == Usage(prompt=2)
    assert not two.is_finished


def test_a_chunk_without_candidates_is_quiet() -> None:
    assert tap().look(b'{"usageMetadata":{}}') is Seen.QUIET
    assert tap().look(b'{"candidates":[],"promptFeedback":{}}') is Seen.QUIET


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"error":{"code":503,"message":"m"}}', "upstream_overloaded"),
        (b'{"promptFeedback":{"blockReason":"SAFETY"}}', "content_filtered"),
        (b'{"promptFeedback":{}}', "upstream_malformed"),
        (b'{"candidates":[{"finishReason":"network_error"}]}', "upstream_failing"),
        (b'{"candidates":3}', "upstream_malformed"),
        (b'{"a":1}', "upstream_malformed"),
        (b"{", "upstream_cut"),
    ],
)
def test_what_is_no_part_of_an_answer_is_an_error(data: bytes, kind: str) -> None:
    with pytest.raises(GatewayError) as caught:
        tap().look(data)

    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("part", "carries"),
    [
        (b'{"text":"a"}', True),
        (b'{"text":""}', False),
        (b'{"text":"","thoughtSignature":"AA"}', True),
        (b'{"functionCall":{"name":"f"}}', True),
        (b"{}", False),
    ],
)
def test_content_is_what_a_client_can_see(part: bytes, carries: bool) -> None:
    assert carries_content(b'{"candidates":[{"content":{"parts":[%b]}}]}' % part) is carries


def test_an_end_is_content_and_nonsense_an_error() -> None:
    assert carries_content(END)
    with pytest.raises(GatewayError):
        carries_content(b'{"candidates":3}')
