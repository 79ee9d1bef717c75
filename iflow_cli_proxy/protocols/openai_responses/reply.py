"""Whole Responses answers: checked, read as Reply, and written from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Choice, PartKind, Reply
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.heads import Head, epoch_of
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_responses.ending import (
    COMPLETED,
    INCOMPLETE,
    decode_ending,
    encode_ending,
    word_of,
)
from iflow_cli_proxy.protocols.openai_responses.errors import plain_error
from iflow_cli_proxy.protocols.openai_responses.output import decode_output, encode_items, text_of
from iflow_cli_proxy.protocols.openai_responses.snapshot import extras_of, head_of, snapshot
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames
from iflow_cli_proxy.protocols.openai_responses.usage import decode_usage
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL

_NO_CHOICE: Final = Choice()


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    return decode_usage(_checked(body, judge, failing_words).get("usage"))


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    response = _checked(body, judge, failing_words)
    parts = tuple(decode_output(response["output"]))
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in parts)
    end = decode_ending(response.get("status"), response.get("incomplete_details"), has_calls=has_calls)
    extras = extras_of(response)
    return Reply(
        **decode_head(response),
        choices=(Choice(parts=parts, reason=end.reason, word=end.word),),
        usage=decode_usage(response.get("usage")),
        extras={PROTOCOL: extras} if extras else {},
    )


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> dict[str, Json]:
    """A good answer. A body is read whole even if only to be passed on."""
    try:
        response = jsonx.decode_strict(body)
    except JsonError as error:
        raise judged(body, judge) from error
    if not isinstance(response, dict) or response.get("error") or not isinstance(response.get("output"), list):
        raise judged(body, judge)
    if response.get("status", COMPLETED) not in (COMPLETED, INCOMPLETE):
        raise judged(body, judge)
    if failure := failure_in(response, failing_words, judge):
        raise failure
    return response


def failure_in(response: Mapping[str, Json], failing_words: frozenset[str], judge: Judge) -> GatewayError | None:
    """An incomplete answer whose reason is a failure in disguise."""
    word = word_of(response.get("incomplete_details"))
    if response.get("status") != INCOMPLETE or word not in failing_words:
        return None
    return reported_failure(word, jsonx.encode(plain_error(response)), judge)


def decode_head(response: Mapping[str, Json]) -> Head:
    created = epoch_of(response.get("created_at"))
    return Head(id=text_of(response, "id"), model=text_of(response, "model"), created=created)


# --- encode -------------------------------------------------------------------------------------------------------


def encode_response(reply: Reply, options: EncodeOptions) -> dict[str, Json]:
    """There is one answer to a request here: the first."""
    head = head_of(reply.id, reply.created, reply.model, options)
    choice = reply.choices[0] if reply.choices else _NO_CHOICE
    ending = encode_ending(choice.reason, choice.word)
    is_cut = choice.reason is not None and not ending.is_complete
    output = encode_items(choice.parts, head.id, ToolNames(options.asked), is_cut=is_cut)
    response = snapshot(head, options.asked, ending, output=output, usage=reply.usage)
    return response | dict(reply.extras.get(PROTOCOL, {}))
