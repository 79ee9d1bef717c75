from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.protocols.anthropic.counting import encode_count, read_count_envelope
from iflow_cli_proxy.protocols.base import Inbound


def test_a_request_without_a_limit_can_be_counted() -> None:
    body = jsonx.encode({"model": "glm-5", "messages": [{"role": "user", "content": "hi"}]})

    assert read_count_envelope(Inbound(protocol="anthropic", body=body)).model == "glm-5"
    assert jsonx.decode(encode_count(7)) == {"input_tokens": 7}


def test_what_cannot_be_answered_cannot_be_counted() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_count_envelope(Inbound(protocol="anthropic", body=b'{"model":"glm-5","messages":"hi"}'))

    assert caught.value.param == "messages"
