"""No credential is in what the flight recorder writes down, wherever a request or an answer carried it (I45)."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Iterator

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.gateway.flight import begun
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.server.flights import Untold
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.fake_transport import FakeReply
from tests.support.seeds import for_each_seed

NAMES = ("Authorization", "x-api-key", "X-Goog-Api-Key", "proxy-authorization", "X-Auth-Token", "my-secret")
SCHEMES = ("", "Bearer ", "Basic ", "Token ", "sid=")
LETTERS = string.ascii_letters + string.digits + "-_.+/="


def secrets_of(chance: random.Random) -> Iterator[str]:
    """Credentials that look like nothing in particular."""
    while True:
        start = chance.choice(string.ascii_letters)
        yield start + "".join(chance.choice(LETTERS) for _ in range(chance.randint(14, 60))) + "Zz9"


def test_nothing_of_a_credential_but_its_end_is_written_down() -> None:
    for_each_seed(300, lambda chance: asyncio.run(_law(chance)))


async def _law(chance: random.Random) -> None:
    made = secrets_of(chance)
    client_key, account_key, in_query, cookie, unknown = (next(made) for _ in range(5))
    room = chance.choice((0, 50, 300, 100_000))
    headers = {
        chance.choice(NAMES): chance.choice(SCHEMES) + client_key,
        "Cookie": f"a=1; sid={cookie}",
        f"x-{chance.choice('abc')}-word": unknown,
    }
    flight = begun("POST", f"/v1/models/{client_key}:go", {"key": in_query}, headers, room_bytes=room)
    words = [client_key, account_key, in_query, "plain", "words, and more of them"]

    def body() -> bytes:
        chance.shuffle(words)
        if chance.random() < 0.5:
            return jsonx.encode({"model": words[0], "messages": [{"content": " ".join(words)}], words[1]: 1})
        return f'{{"api_key": "{unknown}", "error": "{words[0]} and {words[1]}'.encode()

    flight.asked.add(body())
    flight.fields = (words[0], "model")
    flight.remarks.append(f"up/{client_key} is busy")
    flight.repairs = (Note(path=f"messages.{client_key}", what=account_key),)
    one = flight.attempt("work", Route(provider="up", model=client_key), 0.0)
    url = f"https://me:{account_key.replace('/', '').replace('@', '')}@up.test/v1?key={in_query}"
    sent = {"authorization": f"Bearer {account_key}", "x-team": unknown}
    one.sends(UpstreamRequest(url=url, headers=sent, body=body(), fields=(client_key,)), "openai_chat")
    heard = one.hears(FakeReply(body(), headers={"set-cookie": f"s={cookie}", "x-odd": unknown}), lambda: 0.5)
    await heard.read()
    one.ends(Overloaded(f"too much for {account_key}", detail=f"{client_key}", hint=f"not {in_query}"), 1.0)
    flight.fails(Overloaded(f"no, {client_key}", hint=account_key))
    flight.answers(body())
    exchange = Exchange(
        request_id="req_1", protocol="openai_chat", started_at=0.0, asked=client_key, error_kind="x", flight=flight
    )

    told = Untold(exchange, flight, has_bodies=True)().decode()

    assert '"broken"' not in told
    for secret in (client_key, account_key, in_query, cookie, unknown):
        assert secret not in told
        assert secret[:12] not in told, "a cut does not leave the first half"
