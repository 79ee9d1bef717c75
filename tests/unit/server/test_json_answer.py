"""Our own answers in JSON."""

from __future__ import annotations

from iflow_cli_proxy.server.json_answer import json_answer


def test_it_is_compact_json_with_its_status() -> None:
    answer = json_answer({"name": "ü"}, 409)

    assert (answer.status, answer.content_type, answer.body) == (409, "application/json", '{"name":"ü"}'.encode())
