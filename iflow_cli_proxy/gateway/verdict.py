"""What an upstream's answer means, told without the account's key, and with the provider's advice when it is gone.

The one way from the gateway to `Provider.find_error`: an upstream may repeat the key it was sent, in any shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError, TlsFailed, Unreachable, of_kind
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret, hide
from iflow_cli_proxy.protocols.base import Judge
from iflow_cli_proxy.providers.base import Provider

_LOOKS_GONE: Final = (Unreachable, TlsFailed)
_DEEPEST: Final = 8
_LONGEST_LIST: Final = 16
"""Complaints are not looked for further down."""


def find_error(
    provider: Provider, status: int, headers: Mapping[str, str], body: Json, key: Secret
) -> GatewayError | None:
    """The provider's reading of an answer, None when it is a good one; nothing in it repeats `key`."""
    word = key.reveal().strip()  # as it is sent
    error = provider.find_error(status, headers, _without(body, word, _DEEPEST))
    return None if error is None else hide_key(error, word)


class Memory:
    """A judge that remembers what it said: in a stream of events an error is only its words, and what follows from it
    (which account rests, for how long) hangs on all of it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._said: GatewayError | None = None

    def judge(self, body: Json) -> GatewayError | None:
        self._said = self._judge(body)
        return self._said

    def error_of(self, event: Failed) -> GatewayError:
        """The error that ended a stream."""
        said = self._said
        if said is not None and (said.kind, said.message) == (event.kind, event.message):
            return said
        return of_kind(event.kind, event.message, code=event.code or None)


def hide_key(error: GatewayError, key: str) -> GatewayError:
    """The same error without the key, should cleaning its words have brought one to light."""
    error.message = hide(error.message, key)
    error.args = (error.message,)
    error.detail = hide(error.detail, key)
    error.hint = hide(error.hint, key)
    error.param = hide(error.param, key) if error.param else error.param
    error.code = hide(error.code, key) if error.code else error.code
    return error


def advise(error: GatewayError, provider: Provider) -> None:
    """Give an error that looks as if the service were gone the provider's own hint, where it has one."""
    if isinstance(error, _LOOKS_GONE) and (hint := provider.hint_when_gone):
        error.hint = hint


def _without(value: Json, key: str, depth: int) -> Json:
    """`value` with the key taken out of its texts, before shortening or cleaning can leave half of it."""
    if isinstance(value, str):
        return hide(value, key)
    if isinstance(value, dict) and depth:
        return {name: _without(inner, key, depth - 1) for name, inner in value.items()}
    if isinstance(value, list) and depth:
        return [*(_without(item, key, depth - 1) for item in value[:_LONGEST_LIST]), *value[_LONGEST_LIST:]]
    return value
