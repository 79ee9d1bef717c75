"""A checked request that asks something else than the client wrote, in the client's own protocol.

Pure. Only the fields that say it are replaced; all others keep their bytes. Of a list that was changed the items that
stay are the client's own, with everything in them that has no canonical word.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.compress import compress
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import ChatRequest
from iflow_cli_proxy.core.usage import estimate_tokens
from iflow_cli_proxy.protocols.base import Codec, Envelope

COMPRESSED_HEADER: Final = "x-iflow2api-compressed"
_PICTURE: Final = b"image"


def reworded(envelope: Envelope, codec: Codec, request: ChatRequest) -> Envelope:
    """`envelope` with what `request` says differently, in the main form of its protocol: others could not say it (a
    bare generation has one prompt, not a conversation). Who speaks to the client was settled before."""
    before = codec.encode_request(codec.decode_request(envelope))
    changed = {
        name: _as_written(value, before.get(name), envelope.values.get(name))
        for name, value in codec.encode_request(request).items()
        if before.get(name) != value
    }
    return msgspec.structs.replace(
        envelope, values={**envelope.values, **changed}, fields={**envelope.fields, **changed}, flavor=""
    )


def _as_written(after: Json, before: Json, written: Json) -> Json:
    """The items of `after`, those that stood in `before` already as they were `written`; items are dropped and added,
    never moved.

    Where a protocol's items are not one for one with what we make of them, there is nothing to go by.
    """
    if not (isinstance(after, list) and isinstance(before, list) and isinstance(written, list)):
        return after
    if len(before) != len(written):
        return after
    same = next((at for at, (new, old) in enumerate(zip(after, before, strict=False)) if new != old), len(before))
    same = min(same, len(after))
    found: list[Json] = []
    left = len(before)
    for item in reversed(after[same:]):
        place = next((at for at in range(left - 1, same - 1, -1) if before[at] == item), None)
        found.append(item if place is None else written[place])
        left = left if place is None else place
    return [*written[:same], *reversed(found)]


def shortened(
    envelope: Envelope,
    codec: Codec,
    *,
    window_tokens: int,
    output_tokens: int,
    keep_rounds: int,
    has_overflowed: bool = False,
) -> tuple[Envelope, str] | None:
    """The envelope without its oldest rounds and what to tell the client of it; None when nothing is to be done.

    `window_tokens` and `output_tokens` are the model's, 0 where nobody knows; a client that wants a shorter answer
    leaves more room. After `has_overflowed` no estimate is believed, and only the last rounds stay.
    """
    if not has_overflowed and (not window_tokens or _is_surely_short(envelope, window_tokens - output_tokens)):
        return None
    request = codec.decode_request(envelope)
    wanted = request.sampling.max_tokens or output_tokens
    room = window_tokens - min(wanted, output_tokens or wanted)
    found = compress(request, room_tokens=0 if has_overflowed else max(0, room), keep_rounds=keep_rounds)
    return None if found is None else (reworded(envelope, codec, found.request), found.summary)


def _is_surely_short(envelope: Envelope, room_tokens: int) -> bool:
    """By its bytes alone, taken twice because of what is not known yet; a picture may cost more than its bytes."""
    size = 0
    for value in envelope.fields.values():
        written = _bytes(value)
        if _PICTURE in written:
            return False
        size += len(written)
    return estimate_tokens(2 * size) <= room_tokens


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, jsonx.Raw) else jsonx.encode(value)
