"""Transports by kind. The modules behind them are heavy, so each is imported when it is first opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.base import Transport, TransportOptions


def _open_plain(options: TransportOptions) -> Transport:
    from iflow_cli_proxy.transport.plain import PlainTransport

    return PlainTransport(options)


def _open_mimic(options: TransportOptions) -> Transport:
    from iflow_cli_proxy.transport.mimic import MimicTransport

    return MimicTransport(options)


TRANSPORTS: Final[dict[str, Callable[[TransportOptions], Transport]]] = {
    "plain": _open_plain,
    "mimic": _open_mimic,
    "auto": _open_plain,
}


def open_transport(options: TransportOptions) -> Transport:
    """A transport of the kind the options name. It belongs to the running event loop; `aclose()` it there."""
    opener = TRANSPORTS.get(options.kind)
    if opener is None:
        raise ConfigError(
            f"There is no transport called {options.kind!r}.",
            param="upstream.transport",
            hint=f"choose one of {', '.join(TRANSPORTS)}",
        )
    return opener(options)
