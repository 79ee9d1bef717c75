"""What is kept of an exchange, so that a client can go on with `previous_response_id` or ask for it again.

Pure: who keeps it, for how long and for whom is the server's business. A stored exchange holds its whole conversation,
so that going on needs one of them only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core.errors import InvalidRequest, NotFound
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.openai_responses.output import text_of
from iflow_cli_proxy.protocols.openai_responses.request import unknown_reference
from iflow_cli_proxy.protocols.openai_responses.wire import MOST_ITEMS, type_of

_PREVIOUS: Final = "previous_response_id"
_MOST_LISTED: Final = 100
_LISTED: Final = 20


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One answered exchange: every item that led to it, and the response."""

    input: tuple[Mapping[str, Any], ...]
    response: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.response["id"])

    @property
    def conversation(self) -> tuple[Mapping[str, Any], ...]:
        return (*self.input, *self.response["output"])


def previous_id(envelope: Envelope) -> str:
    """Which response the client goes on from, empty when it begins."""
    return envelope.values.get(_PREVIOUS) or ""


def stored(envelope: Envelope, response: Mapping[str, Json]) -> Stored | None:
    """What is to be kept of an exchange; None when the client does not want that.

    `envelope` is the one that was answered: with the turns before, if it went on from some.
    """
    if envelope.values.get("store") is False:
        return None
    answer_id = str(response["id"])
    items = _named(_items(envelope.values["input"]), answer_id.removeprefix("resp_"))
    return Stored(input=items, response=response)


def unknown_previous(response_id: str) -> InvalidRequest:
    """For a `previous_response_id` that is not kept, or not any more."""
    return InvalidRequest(
        f"Previous response with id '{response_id[:80]}' not found.",
        param=_PREVIOUS,
        code="previous_response_not_found",
        hint="send the earlier turns in `input`",
    )


def unknown_response(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id[:80]}' not found.", param="response_id")


def continued(envelope: Envelope, past: Stored) -> Envelope:
    """The request with its previous turns put in front.

    References to their items go, as the items stand there already, and so do the items themselves where a client sends
    them again. Instructions are not handed on: they are said anew with each request.

    Raises:
        InvalidRequest: a reference to an item that is not among them, or more items than one conversation may have.
    """
    items = [*past.conversation]
    known = {item_id: item for item in items if (item_id := text_of(item, "id"))}
    for at, item in enumerate(_items(envelope.values["input"])):
        same = known.get(text_of(item, "id"))
        if type_of(item) == "item_reference":
            if same is None:
                raise unknown_reference(item["id"], f"input[{at}]")
        elif same is None or not _says_the_same(item, same):
            items.append(item)
    if len(items) > MOST_ITEMS:
        raise InvalidRequest(
            f"`{_PREVIOUS}`: the conversation has {len(items)} items with this one, and may have {MOST_ITEMS}.",
            param=_PREVIOUS,
            hint="begin a new conversation with a summary of this one",
        )
    fields = {name: value for name, value in envelope.fields.items() if name != _PREVIOUS}
    return msgspec.structs.replace(
        envelope, fields={**fields, "input": items}, values={**envelope.values, "input": items}
    )


def _says_the_same(item: Mapping[str, Json], known: Mapping[str, Json]) -> bool:
    """Whether an item is one we know, sent again. Some clients give every message of theirs one id, so that the id
    alone does not tell; what the model has said they may have changed in small ways."""
    if type_of(item) != type_of(known):
        return False
    if type_of(item) == "message":
        return item["role"] == known["role"] and _words_of(item) == _words_of(known)
    return item.get("call_id") == known.get("call_id")


def _words_of(message: Mapping[str, Json]) -> list[Json]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [text_of(part, "text") or text_of(part, "refusal") or part for part in content]


def _items(given: Json) -> Sequence[Mapping[str, Json]]:
    if isinstance(given, str):
        return ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]},)
    return tuple(given)


def _named(items: Sequence[Mapping[str, Json]], stem: str) -> tuple[Mapping[str, Json], ...]:
    """Every item with an id of its own, as they are listed."""
    return tuple(
        {**item, "type": type_of(item), "id": text_of(item, "id") or f"in_{stem}_{at}"} for at, item in enumerate(items)
    )


# --- what clients ask for -----------------------------------------------------------------------------------------


def deleted(response_id: str) -> dict[str, Json]:
    """The body of a deletion that went well."""
    return {"id": response_id, "object": "response.deleted", "deleted": True}


def input_items(past: Stored, *, limit: str = "", order: str = "", after: str = "") -> dict[str, Json]:
    """One page of the items that led to a response, the latest first unless asked otherwise.

    Raises:
        InvalidRequest: a parameter is not what it should be, or `after` names no item.
    """
    if order not in ("", "asc", "desc"):
        raise InvalidRequest("`order` must be `asc` or `desc`.", param="order")
    if limit and not (limit.isdecimal() and len(limit) <= 3 and 1 <= int(limit) <= _MOST_LISTED):
        raise InvalidRequest(f"`limit` must be a number from 1 to {_MOST_LISTED}.", param="limit")
    items = list(past.input) if order == "asc" else list(reversed(past.input))
    ids = [item["id"] for item in items]
    if after and after not in ids:
        raise InvalidRequest(f"`after`: there is no item `{after[:80]}`.", param="after")
    begin = ids.index(after) + 1 if after else 0
    end = begin + (int(limit) if limit else _LISTED)
    page = items[begin:end]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": end < len(items),
    }
