"""What clients of other protocols get of an upstream's Chat Completions, to the byte.

The files are under `translated` in their scenario. `pytest tests/golden --regold` rewrites those that are there; an
empty file asks for a new one.
"""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec
from tests.support.goldens import (
    FAILING_WORDS,
    OPTIONS,
    SCENARIOS,
    Scenario,
    decode_stream,
    encode_stream,
    write_json,
)
from tests.support.losses import (
    REPLY_LOSSES,
    STREAM_LOSSES,
    reply_with_made_up_ids,
    with_made_up_ids,
)

UPSTREAM = CODECS["openai_chat"]


def pairs(kind: str) -> list[Any]:
    return [
        pytest.param(scenario, codec, id=f"{scenario.name}-{codec.name}")
        for scenario in SCENARIOS
        for codec in scenario.translations(kind)
    ]


def whole(scenario: Scenario) -> Reply:
    reply = assemble(scenario.restored(UPSTREAM))
    assert isinstance(reply, Reply)
    return reply


@pytest.fixture(autouse=True, scope="module")
def _regold(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--regold"):
        return
    for scenario in SCENARIOS:
        for codec in scenario.translations("sse"):
            wire = encode_stream(codec, scenario.restored(UPSTREAM))
            scenario.translated_path(codec, "sse").write_bytes(wire)
        for codec in scenario.translations("reply.json"):
            write_json(scenario.translated_path(codec, "reply.json"), codec.encode_reply(whole(scenario), OPTIONS))


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_a_stream_is_what_the_file_says(scenario: Scenario, codec: Codec) -> None:
    events = scenario.restored(UPSTREAM)

    grammar.check(events)
    assert encode_stream(codec, events) == scenario.translated_path(codec, "sse").read_bytes()


@pytest.mark.parametrize(("scenario", "codec"), pairs("reply.json"))
def test_a_whole_answer_is_what_the_file_says(scenario: Scenario, codec: Codec) -> None:
    body = codec.encode_reply(whole(scenario), OPTIONS)

    assert jsonx.decode(body) == jsonx.decode(scenario.translated_path(codec, "reply.json").read_bytes())


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_the_client_hears_what_the_upstream_meant(scenario: Scenario, codec: Codec) -> None:
    losing = STREAM_LOSSES[codec.name]
    expected = losing(scenario.restored(UPSTREAM))

    heard = losing(decode_stream(codec, [scenario.translated_path(codec, "sse").read_bytes()]))

    assert with_made_up_ids(heard, like=expected) == expected


@pytest.mark.parametrize(("scenario", "codec"), pairs("reply.json"))
def test_the_client_reads_what_the_upstream_meant(scenario: Scenario, codec: Codec) -> None:
    expected = REPLY_LOSSES[codec.name](whole(scenario))
    body = scenario.translated_path(codec, "reply.json").read_bytes()

    read = codec.decode_reply(body, codec.decode_error, FAILING_WORDS)

    assert reply_with_made_up_ids(read, like=expected) == expected


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_good_answers_are_translated_in_both_shapes_and_failures_as_streams_only(scenario: Scenario) -> None:
    streams = scenario.translations("sse")

    assert scenario.translations("reply.json") == ([] if scenario.is_failure else streams)
