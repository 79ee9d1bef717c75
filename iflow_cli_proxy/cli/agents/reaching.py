"""The gateway an agent is to work with: one that runs, or one started for as long as the agent does.

Knows how a gateway is recognized and asked what it serves. Refuses to know agents.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import ANY_KEY, KEY_VARIABLE, GatewayModel
from iflow_cli_proxy.agents.models import read_models
from iflow_cli_proxy.cli.addressing import client_key, gateway_url
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, Malformed, Unauthenticated, Unreachable
from iflow_cli_proxy.core.jsonx import Json

_ASKED_WITHIN_S: Final = 5.0
_STARTS_WITHIN_S: Final = 30.0
_FIRST_LIST_WITHIN_S: Final = 2.0
_ENDS_WITHIN_S: Final = 20.0
_LOG_SHOWN: Final = 1500
_LARGEST_ANSWER: Final = 8 << 20

_PIECE: Final = 1 << 16


class _NowhereElse(urllib.request.HTTPRedirectHandler):
    """urllib would take the key along to whatever place an answer names."""

    def redirect_request(self, *_: object) -> None:
        return None


# A gateway on this desk is not called through a proxy, and its key goes nowhere else.
open_directly: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NowhereElse).open


@dataclass(frozen=True, kw_only=True)
class Found:
    """A gateway that answers."""

    url: str
    key: str
    models: tuple[GatewayModel, ...]
    is_own: bool = False
    """Started for this launch, and ended with it."""


@contextmanager
def gateway(session: Session, url: str, folder: Path, *, is_demo: bool = False) -> Iterator[Found]:
    """The gateway at `url`, else the one of these settings, else one that is started until the end of the block.

    Raises:
        GatewayError: nobody serves at `url`, no key is at hand, or none could be started.
    """
    settings, _ = session.load()
    key = client_key(settings, session.environ)
    place = gateway_url(settings, url)
    if url and not is_gateway(place):
        raise Unreachable(
            f"No gateway answers at {place}.", hint="start one with `iflow2api serve`, or leave out --url"
        )
    if url or (not is_demo and settings.server.port and is_gateway(place)):
        yield _asked(place, key)
        return
    with _started(session, folder, is_demo=is_demo) as own:
        yield _asked(own, key, is_own=True)


def running(session: Session, url: str) -> Found | None:
    """The gateway at `url`, else the one of these settings; None when it does not run. Raises GatewayError."""
    settings, _ = session.load()
    place = gateway_url(settings, url)
    if is_gateway(place):
        return _asked(place, client_key(settings, session.environ))
    if url:
        raise Unreachable(
            f"No gateway answers at {place}.", hint="start one with `iflow2api serve`, or leave out --url"
        )
    return None


def no_key(place: str) -> Unauthenticated:
    return Unauthenticated(
        f"The gateway at {place} asks for a client key.",
        hint=f"`iflow2api key create NAME` makes one; then put it into {KEY_VARIABLE}",
    )


def _asked(place: str, key: str, *, is_own: bool = False) -> Found:
    """With its models; one that was just started may not have heard of them yet."""
    ends_at = time.monotonic() + (_FIRST_LIST_WITHIN_S if is_own else 0)
    while not (models := read_models(_models(place, key))) and time.monotonic() < ends_at:
        time.sleep(0.1)
    return Found(url=place, key=key or ANY_KEY, models=models, is_own=is_own)


def _models(place: str, key: str) -> Json:
    try:
        return jsonx.decode(fetch(f"{place}/v1/models", key))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401:
            raise no_key(place) from error
        raise GatewayError(f"The gateway at {place} refused to list its models: status {error.code}.") from error
    except (OSError, HTTPException, jsonx.JsonError) as error:
        raise Malformed(f"The gateway at {place} did not list its models.", hint="see the gateway's log") from error


def fetch(url: str, key: str) -> bytes:
    """What a gateway answers with status 200. Raises HTTPError for any other, OSError, HTTPException."""
    headers = {"authorization": f"Bearer {key or ANY_KEY}"}
    with open_directly(urllib.request.Request(url, headers=headers), timeout=_ASKED_WITHIN_S) as answer:
        return _read(answer)


def is_gateway(place: str) -> bool:
    """Whether one of ours answers there; what else listens is not asked twice."""
    try:
        with open_directly(f"{place}/health", timeout=_ASKED_WITHIN_S) as answer:
            told = jsonx.decode(_read(answer))
    except (OSError, HTTPException, jsonx.JsonError):
        return False
    return isinstance(told, dict) and told.get("status") == "ok" and "version" in told


def _read(answer: HTTPResponse) -> bytes:
    """All of it, within the time for an answer: the limit of a socket is one for each piece. Raises TimeoutError."""
    body, ends_at = bytearray(), time.monotonic() + _ASKED_WITHIN_S
    while len(body) < _LARGEST_ANSWER and (piece := answer.read1(_PIECE)):
        body += piece
        if time.monotonic() > ends_at:
            raise TimeoutError
    return bytes(body)


@contextmanager
def _started(session: Session, folder: Path, *, is_demo: bool) -> Iterator[str]:
    """A gateway of these settings on a free port of loopback, in a process that signals here do not reach."""
    ready, log = folder / "gateway.json", folder / "gateway.log"
    config = ("--config", str(session.config_file)) if session.config_file else ()
    flags = ("--demo",) if is_demo else ()
    command = [sys.executable, "-m", "iflow_cli_proxy", *config, "serve", *flags, "--quiet", "--host", "127.0.0.1"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", "0", "--ready-file", str(ready)],
            env=dict(session.environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )
    try:
        yield _address(ready, process, log)
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(ready: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    ends_at = time.monotonic() + _STARTS_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > ends_at:
            raise ConfigError(
                "No gateway runs, and none could be started.",
                detail=log.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN:].strip(),
                hint="`iflow2api serve` in another terminal shows why; `--demo` needs no account",
            )
        time.sleep(0.02)
    return str(jsonx.decode(ready.read_bytes())["urls"][0])
