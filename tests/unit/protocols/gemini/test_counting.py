import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.protocols.gemini.counting import encode_count, read_count_envelope
from iflow_cli_proxy.protocols.gemini.request import decode_request

RESULT = {"functionResponse": {"id": "x", "name": "f", "response": {"output": "ok"}}}
CONTENTS = [{"role": "user", "parts": [RESULT, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]}]


def counting(body: Json) -> Inbound:
    return Inbound(protocol="gemini", body=jsonx.encode(body), path={"model": "models/glm-5"})


@pytest.mark.parametrize(
    "body",
    [
        {"contents": CONTENTS},
        {"generateContentRequest": {"model": "models/glm-5", "contents": CONTENTS}},
        {"generate_content_request": {"contents": CONTENTS}},
    ],
)
def test_contents_are_found_and_a_lone_result_among_them_is_read(body: Json) -> None:
    """Gemini CLI asks so for a picture that a tool has read."""
    envelope = read_count_envelope(counting(body))

    assert envelope.model == "glm-5"
    assert len(decode_request(envelope).messages) == 2


@pytest.mark.parametrize("body", [{}, [], {"generateContentRequest": {}}])
def test_nothing_to_count_is_refused(body: Json) -> None:
    with pytest.raises(InvalidRequest):
        read_count_envelope(counting(body))


def test_a_body_that_is_no_json_is_the_clients_mistake() -> None:
    with pytest.raises(InvalidRequest):
        read_count_envelope(Inbound(protocol="gemini", body=b"{"))


def test_the_answer_has_the_total() -> None:
    assert jsonx.decode(encode_count(7))["totalTokens"] == 7
