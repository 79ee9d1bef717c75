"""Processes that refresh an account: `refreshers.py FOLDER SERVER_URL`, then one order per line of JSON on stdin.

    {"processes": 20, "tasks": 1, "seen": "", "later_s": 0, "dies_at": null}

Each order forks that many processes off this one, which has everything imported and no threads. `later_s` moves their
time of day. With `dies_at` a process counts its steps (calls of functions, of C functions and their ends, in all
threads) and kills itself at that one; 0 only counts. The answer is one line: the bearers that they got, the errors, the
steps, and how many were killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import GatewayError, LoginRequired, Overloaded
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient, Profile, SignIn
from iflow_cli_proxy.signin.refresh import Keeping, Refresher
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest

ACCOUNT = "one"


class LaterClock(SystemClock):
    def __init__(self, later_s: float) -> None:
        self._later_s = later_s

    def now(self) -> float:
        return super().now() + self._later_s


class KeyPage:
    """Where the access token becomes the API key."""

    def __init__(self, url: str) -> None:
        self._url = url

    def request(self, tokens: Tokens) -> UpstreamRequest:
        return UpstreamRequest(url=f"{self._url}/key?token={tokens.access_token.reveal()}", headers={}, method="GET")

    def read(self, answer: OAuthAnswer) -> Profile:
        if answer.status == 401:
            raise LoginRequired("The access token is not accepted.")
        if answer.status != 200:
            raise Overloaded("The key page does not answer.")
        return Profile(api_key=Secret(answer.body.decode()))


def count_steps(dies_at: int) -> list[int]:
    steps = [0]

    def step(*_: object) -> None:
        steps[0] += 1
        if steps[0] == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(step)
    sys.setprofile(step)
    return steps


async def refresh(folder: Path, url: str, order: dict[str, Any]) -> dict[str, Any]:
    clock = LaterClock(order.get("later_s", 0.0))
    store = AccountStore(folder, clock=clock)
    transport = open_transport(TransportOptions(kind="plain"))
    client = OAuthClient(token_url=f"{url}/token", client_id="us")
    keeping = Keeping(store.place(ACCOUNT), SignIn(provider="iflow", client=client, profiles=KeyPage(url)), transport)
    refresher = Refresher(lambda _: keeping, clock=clock, chance=random.random, entropy=os.urandom)
    seen = Secret(order["seen"]) if order.get("seen") else None
    steps = [0] if order.get("dies_at") is None else count_steps(order["dies_at"])
    tasks = (refresher.refresh(ACCOUNT, seen=seen) for _ in range(order.get("tasks", 1)))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    sys.setprofile(None)
    await transport.aclose()
    errors = [f"{type(end).__name__}: {end}" for end in ends if isinstance(end, BaseException)]
    for end in ends:
        assert not isinstance(end, BaseException) or isinstance(end, GatewayError), end
    bearers = {end.bearer.reveal() for end in ends if not isinstance(end, BaseException)}
    return {"bearers": sorted(bearers), "errors": errors, "steps": steps[0]}


def carry_out(folder: Path, url: str, order: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    processes = []
    for _ in range(order.get("processes", 1)):
        child = os.fork()
        if child == 0:
            told = asyncio.run(refresh(folder, url, order))
            os.write(writing, json.dumps(told).encode() + b"\n")
            os._exit(0)
        processes.append(child)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answers = [json.loads(line) for line in pipe]
    killed = sum(os.WIFSIGNALED(os.waitpid(child, 0)[1]) for child in processes)
    return {"told": answers, "killed": killed}


def main(folder: Path, url: str) -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(folder, url, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
