from __future__ import annotations

from iflow_cli_proxy import __version__
from tests.support.shell import shell, shell_state


async def test_health_says_the_version_and_nothing_of_accounts() -> None:
    async with shell(shell_state(accounts=0)) as client, client.get("/health") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ok", "version": __version__}


async def test_ready_counts_the_accounts() -> None:
    async with shell(shell_state(accounts=2)) as client, client.get("/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ready", "accounts": 2}


async def test_without_an_account_it_is_not_ready_and_says_what_to_do() -> None:
    async with shell(shell_state(accounts=0)) as client, client.get("/ready") as answer:
        assert answer.status == 503
        assert "iflow2api" in (await answer.json())["reason"]


async def test_while_draining_it_is_alive_but_not_ready() -> None:
    state = shell_state()
    state.is_draining = True
    async with shell(state) as client:
        assert (await client.get("/ready")).status == 503
        assert (await client.get("/health")).status == 200
