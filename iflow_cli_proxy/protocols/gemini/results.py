"""`functionResponse`: what a tool answered, to canonical messages and back.

Its `response` is an object; clients put a text under `output` or `error` (Gemini CLI) or `result` (google-genai). Such
a text is taken out, any other object is text as JSON; which of these it was is remembered for the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.request import Image, Message, Role, Text, ToolResult
from iflow_cli_proxy.protocols.call_ids import CallIds, is_made_up
from iflow_cli_proxy.protocols.gemini.media import decode_media, encode_media
from iflow_cli_proxy.protocols.gemini.wire import PROTOCOL

_OUTPUT: Final = "output"
_ERROR: Final = "error"
_TEXT_KEYS: Final = frozenset({_OUTPUT, _ERROR, "result", "content"})
_KEY: Final = "key"
"""Where the extras of a message keep the key its text stood under; `""` for an object as JSON."""
_FIELDS: Final = "fields"
_MODELLED: Final = frozenset({"id", "name", "response", "parts"})


def decode_result(wire: Mapping[str, Json], ids: CallIds) -> Message:
    name = wire.get("name") or ""
    call_id = ids.result(wire.get("id") or "", name)
    text, key = _decode_response(wire.get("response"))
    images = [part for one in wire.get("parts") or () if isinstance(part := decode_media(one), Image)]
    result = ToolResult(
        call_id=call_id,
        parts=(*(() if text is None else (Text(text=text),)), *images),
        is_error=key == _ERROR,
    )
    extras: dict[str, Json] = {} if key in (_OUTPUT, _ERROR) else {_KEY: key}
    if rest := {field: value for field, value in wire.items() if field not in _MODELLED}:
        extras[_FIELDS] = rest
    own_name = "" if name == ids.name_of(call_id) else name
    return Message(role=Role.TOOL, parts=(result,), name=own_name, extras={PROTOCOL: extras} if extras else {})


def encode_result(result: ToolResult, message: Message, ids: CallIds) -> dict[str, Json]:
    extras = message.extras.get(PROTOCOL, {})
    name = message.name or ids.name_of(result.call_id) or "tool"
    known = {} if not result.call_id or is_made_up(result.call_id) else {"id": result.call_id}
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    key = extras.get(_KEY, _ERROR if result.is_error else _OUTPUT)
    wire = {**known, "name": name, "response": _encode_response(text, key), **extras.get(_FIELDS, {})}
    if images := [encode_media(part) for part in result.parts if isinstance(part, Image)]:
        wire["parts"] = images
    return {"functionResponse": wire}


def with_text(response: Json, text: str) -> dict[str, Json]:
    """The same response with one more text in it."""
    found, key = _decode_response(response)
    return {key or _OUTPUT: f"{found}\n{text}" if found else text}


def _decode_response(response: Json) -> tuple[str | None, str]:
    if response is None:
        return None, _OUTPUT
    if isinstance(response, str):
        return response, _OUTPUT
    if isinstance(response, dict) and len(response) == 1:
        ((key, value),) = response.items()
        if key in _TEXT_KEYS and isinstance(value, str):
            return value, key
    return jsonx.encode(response).decode(), ""


def _encode_response(text: str, key: str) -> dict[str, Json]:
    if key:
        return {key: text}
    try:
        value = jsonx.decode_strict(text.encode())
    except JsonError:
        value = None
    return value if isinstance(value, dict) else {_OUTPUT: text}
