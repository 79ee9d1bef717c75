"""Answers read, and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iflow_cli_proxy.cli.flights.meaning import Said, differences, said
from iflow_cli_proxy.core import jsonx
from tests.support.flights import flight
from tests.support.ledgers import row

GOLDEN = Path(__file__).parents[2] / "golden"
CALL = (
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"hello","reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f",'
    b'"arguments":"{\\"a\\": 1}"}}]},"finish_reason":"tool_calls"}]}'
)


def test_an_answer_is_read_in_its_protocol() -> None:
    one = said(row(1, protocol="openai_chat", prompt=3), flight(), CALL)
    assert (one.text, one.reasoning, one.tool_calls) == ("hello", "hm", (("f", {"a": 1}),))
    assert one.usage == {"prompt": 3, "completion": 0, "reasoning": 0}


def test_every_protocol_s_stream_says_the_same() -> None:
    texts = {}
    for file in sorted((GOLDEN / "plain_text").glob("*.sse")):
        protocol = file.name.partition(".")[0]
        one = said(row(1, protocol=protocol, is_stream=True), None, file.read_bytes())
        texts[protocol] = one.text
    assert len(texts) >= 4
    assert len(set(texts.values())) == 1


def test_what_cannot_be_read_is_a_text_without_the_id_of_the_request() -> None:
    one = said(row(1, status=400, protocol="anthropic"), None, b'{"request_id":"req_1"}')
    assert (one.text, one.tool_calls) == ('{"request_id":""}', None)
    assert said(row(1, protocol="nobody_s"), None, b"x").text == "x"
    assert said(row(1, protocol="openai_chat"), None, b"[").text == "["


def test_times_and_accounts_are_no_difference_and_what_is_not_known_is_none() -> None:
    one = Said(status=200, text="a", account="x", duration_s=1.0, usage={"prompt": 1})
    assert differences(one, replace(one, account="y", duration_s=9.0, attempts=3)) == []
    assert differences(one, replace(one, text=None, usage=None)) == []
    assert differences(one, replace(one, status=500, text="b")) == ["status", "text"]


def test_estimates_are_not_compared() -> None:
    assert said(row(1, is_estimated=True, completion=7), None, None).usage is None


def test_json_names_calls() -> None:
    told = said(row(1, protocol="openai_chat"), None, CALL).as_json()
    assert told["tool_calls"] == [{"name": "f", "arguments": {"a": 1}}]
    jsonx.encode(told)
