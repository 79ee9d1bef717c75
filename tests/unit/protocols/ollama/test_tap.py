import pytest

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.ollama.errors import decode_error
from iflow_cli_proxy.protocols.ollama.tap import StreamTap, carries_content

END = b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":2,"eval_count":1}'


def tap() -> StreamTap:
    return StreamTap(decode_error, frozenset({"network_error"}))


def test_the_line_that_is_done_is_the_end_and_has_the_usage() -> None:
    looking = tap()

    assert looking.look(b'{"message":{"content":"a"}}') is Seen.CONTENT
    assert not looking.is_finished
    assert looking.look(END) is Seen.CONTENT
    assert looking.is_finished
    assert looking.usage == Usage(prompt=2, completion=1)
    assert looking.look(END) is Seen.NOTHING


def test_an_empty_line_is_quiet() -> None:
    assert tap().look(b'{"message":{"content":""},"done":false}') is Seen.QUIET


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"error":"m"}', "upstream_failing"),
        (b'{"a":1}', "upstream_malformed"),
        (b'{"response":"","done_reason":"network_error"}', "upstream_failing"),
        (b"{", "upstream_cut"),
    ],
)
def test_what_is_no_part_of_an_answer_is_an_error(data: bytes, kind: str) -> None:
    with pytest.raises(GatewayError) as caught:
        tap().look(data)

    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("data", "carries"),
    [
        (b'{"response":"a"}', True),
        (b'{"response":"","thinking":"a"}', True),
        (b'{"message":{"tool_calls":[{"function":{"name":"f"}}]}}', True),
        (b'{"message":{"content":""}}', False),
        (END, True),
    ],
)
def test_content_is_what_a_client_can_see(data: bytes, carries: bool) -> None:
    assert carries_content(data) is carries


def test_nonsense_is_an_error() -> None:
    with pytest.raises(GatewayError):
        carries_content(b'{"message":3}')
