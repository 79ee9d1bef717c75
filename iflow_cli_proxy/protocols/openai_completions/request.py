"""Completions requests: checked, read as ChatRequest, and written from one. A prompt is what a user says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.openai_completions.wire import PROTOCOL, WireRequest

_ENVELOPE_FIELDS: Final = ("model", "stream")
_APART: Final = (*_ENVELOPE_FIELDS, "stream_options")
_CHAT: Final = "openai_chat"
"""The protocol that came after this one, and kept its words."""
_SAME_IN_CHAT: Final = ("logit_bias", "min_p")
_CHATS: Final = "use `/v1/chat/completions`"


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream."""
    try:
        values = read_object(inbound.body)
        request = jsonx.convert(values, WireRequest)
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    prompt_of(values)
    _refuse_what_chats_lack(request)
    return Envelope(
        model=request.model,
        is_stream=bool(request.stream),
        wants_usage=bool(request.stream_options and request.stream_options.include_usage),
        fields=jsonx.without(jsonx.raw_fields(inbound.body), *_ENVELOPE_FIELDS),
        values=values,
        choices=request.n or 1,
    )


def prompt_of(values: Mapping[str, Json]) -> str:
    """The one text. Raises InvalidRequest where there is none, or more than one."""
    prompt = values.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        (prompt,) = prompt
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list) or not prompt:
        raise InvalidRequest("`prompt`: Expected a text.", param="prompt")
    if all(isinstance(one, str) for one in prompt):
        raise InvalidRequest(
            "`prompt`: one prompt for each request; there are several.", param="prompt", hint="send them one by one"
        )
    raise InvalidRequest(
        "`prompt`: tokens as numbers mean something to one model only.", param="prompt", hint="send the text"
    )


def _refuse_what_chats_lack(request: WireRequest) -> None:
    """What would change the answer and cannot be had from a model that chats."""
    if request.suffix:
        raise InvalidRequest("`suffix`: text cannot be filled in between here.", param="suffix", hint=_CHATS)
    if (request.best_of or 1) > (request.n or 1):
        raise InvalidRequest("`best_of`: must not be above `n`; no answers are thrown away here.", param="best_of")


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    stop = values.get("stop")
    request = ChatRequest(
        model=envelope.model,
        messages=(Message(role=Role.USER, parts=(Text(text=prompt_of(values)),)),),
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        sampling=Sampling(
            max_tokens=values.get("max_tokens"),
            temperature=values.get("temperature"),
            top_p=values.get("top_p"),
            top_k=values.get("top_k"),
            presence_penalty=values.get("presence_penalty"),
            frequency_penalty=values.get("frequency_penalty"),
            seed=values.get("seed"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            n=values.get("n") or 1,
        ),
        user=values.get("user") or "",
        notes=tuple(_notes(values)),
    )
    kept = _kept(request, values)
    in_chat = {name: values[name] for name in _SAME_IN_CHAT if values.get(name) is not None}
    extras = {PROTOCOL: kept if any(kept.values()) else {}, _CHAT: in_chat}
    extras = {name: fields for name, fields in extras.items() if fields}
    return msgspec.structs.replace(request, extras=extras) if extras else request


def _notes(values: Mapping[str, Json]) -> Iterator[Note]:
    if values.get("logprobs"):
        yield Note("logprobs", "no logprobs are given, so it was left out")


def _kept(request: ChatRequest, values: Mapping[str, Json]) -> dict[str, Any]:
    """What the canonical form does not say of the fields, and what it says unasked."""
    plain, outside = _encode_fields(request), jsonx.without(values, *_APART)
    return {
        "own": {name: value for name, value in outside.items() if name not in plain or plain[name] != value},
        "absent": [name for name in plain if name not in outside],
    }


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without `model` and `stream`. A conversation is its texts, one under the other."""
    kept = request.extras.get(PROTOCOL)
    fields = _encode_fields(request)
    return fields if kept is None else jsonx.without(fields | kept["own"], *kept["absent"])


def _encode_fields(request: ChatRequest) -> dict[str, Json]:
    sampling = request.sampling
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    fields: dict[str, Any] = {
        "prompt": "\n\n".join(texts),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "n": sampling.n if sampling.n != 1 else None,
        "user": request.user or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
