"""A recorded request as it is sent again."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.cli.flights.again import question_from, send
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, Unreachable
from tests.support.flights import flight, part


def asked(**fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "path": "/v1/chat/completions",
        "query": {},
        "headers": {
            "Host": "h",
            "Authorization": "Bearer …1234",
            "content-length": "9",
            "anthropic-version": "2023-06-01",
            "X-Session-Id": "s",
        },
        "body": '{"model":"m","stream":true}',
        "bytes": 27,
    }
    return flight(client_request=part(**{**usual, **fields}))


def test_only_headers_of_the_question_go_with_it() -> None:
    question = question_from(asked())
    assert question.headers == {"anthropic-version": "2023-06-01", "X-Session-Id": "s"}
    assert (question.path, question.body) == ("/v1/chat/completions", b'{"model":"m","stream":true}')


def test_a_query_is_kept_but_for_what_was_masked() -> None:
    assert question_from(asked(query={"alt": "sse", "key": "sk-…4f2a"})).path.endswith("/completions?alt=sse")


def test_another_model_stands_where_the_first_one_stood() -> None:
    assert jsonx.decode(question_from(asked(), "iflow/glm-5").body) == {"model": "iflow/glm-5", "stream": True}
    google = question_from(asked(path="/v1beta/models/m:generateContent", body="{}"), "iflow/glm-5")
    assert (google.path, google.body) == ("/v1beta/models/iflow/glm-5:generateContent", b"{}")
    with pytest.raises(ConfigError, match="no JSON"):
        question_from(asked(body="{"), "iflow/glm-5")


def test_what_was_not_kept_whole_cannot_be_sent() -> None:
    with pytest.raises(ConfigError, match="not kept") as nothing:
        question_from(asked(body=None))
    assert "recorder.contents true" in nothing.value.hint
    with pytest.raises(ConfigError, match="was cut") as cut:
        question_from(asked(cut=True, bytes=300_000))
    assert "recorder.max_body_bytes 524288" in cut.value.hint


def test_where_nobody_serves_that_is_told() -> None:
    with pytest.raises(Unreachable) as nobody:
        send(question_from(asked()), "http://127.0.0.1:9", "", "req_1")
    assert "iflow2api serve" in nobody.value.hint
