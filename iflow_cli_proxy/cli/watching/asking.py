"""A running gateway asked what it does, now and again and again.

Knows how that can go wrong and what to type then. Refuses to know how it is shown.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.client import HTTPException
from types import TracebackType
from urllib.error import HTTPError

from iflow_cli_proxy.cli.agents.reaching import fetch, is_gateway, no_key
from iflow_cli_proxy.cli.watching.shape import Snapshot, read_snapshot
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Forbidden, GatewayError, Malformed, Unreachable
from iflow_cli_proxy.core.jsonx import JsonError

_PATH = "/debug/live"


@dataclass(frozen=True)
class Gateway:
    """One that is watched, and the key it is shown."""

    place: str
    key: str

    def found(self) -> tuple[Snapshot, bytes]:
        """The same as `snapshot` of one that was not asked before: nobody else is shown the key."""
        if not is_gateway(self.place):
            raise self._nobody()
        return self.snapshot()

    def snapshot(self) -> tuple[Snapshot, bytes]:
        """What it does now, also as it was written.

        Raises:
            GatewayError: nobody answers, the key is not good for this, or it is of an older version.
        """
        try:
            body = self._fetched()
            return read_snapshot(body), body
        except JsonError as error:
            raise Malformed(
                f"The gateway at {self.place} told its state in words unknown here.", hint="are both of one version?"
            ) from error

    def _fetched(self) -> bytes:
        try:
            return fetch(f"{self.place}{_PATH}", self.key)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except (OSError, HTTPException) as error:
            raise self._nobody() from error

    def _nobody(self) -> Unreachable:
        return Unreachable(
            f"No gateway answers at {self.place}.",
            hint="start one with `iflow2api serve`, or name the one that runs with --url",
        )

    def _refusal(self, error: HTTPError) -> GatewayError:
        match error.code:
            case 401:
                return no_key(self.place)
            case 403:
                told = _told(error) or f"The gateway at {self.place} does not show this to that key."
                return Forbidden(told, hint="use a key without `accounts`, `pool` and `models`")
            case 404:
                return Malformed(
                    f"The gateway at {self.place} is of an older version, which does not tell what it does.",
                    hint="stop it and start this version: `iflow2api serve`",
                )
            case status:
                return Malformed(f"The gateway at {self.place} did not tell what it does: status {status}.")


def _told(error: HTTPError) -> str:
    """The gateway's own words, if these are any."""
    try:
        body = jsonx.decode(error.read())
    except (OSError, HTTPException, JsonError):
        return ""
    said = body.get("error") if isinstance(body, dict) else None
    message = said.get("message") if isinstance(said, dict) else None
    return message if isinstance(message, str) else ""


@dataclass(frozen=True)
class News:
    """The latest that is known. With an `error` the snapshot is an old one."""

    snapshot: Snapshot
    error: GatewayError | None = None
    failing_since: float = 0.0
    """Monotonic; when it was heard from last."""


class Poller:
    """Asks every `interval_s` in a thread of its own, so that a gateway that hangs holds up no key and no drawing."""

    def __init__(self, gateway: Gateway, first: Snapshot, interval_s: float) -> None:
        self.news = News(first)
        self._gateway = gateway
        self._interval_s = interval_s
        self._ends = threading.Event()
        # A daemon: who leaves does not wait for an answer.
        self._thread = threading.Thread(target=self._run, daemon=True, name="asking the gateway")

    def __enter__(self) -> Poller:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ends.set()

    def _run(self) -> None:
        heard_at = time.monotonic()
        while not self._ends.wait(self._interval_s):
            is_known = self.news.error is None  # after a silence another may listen there
            try:
                snapshot, _ = self._gateway.snapshot() if is_known else self._gateway.found()
            except GatewayError as error:
                self.news = News(self.news.snapshot, error, heard_at)
            else:
                heard_at = time.monotonic()
                self.news = News(snapshot)
