"""`config set security.encrypt` beside a running gateway: what it has read goes on serving until it is started anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.state.sealing import Cost
from iflow_cli_proxy.state.vault import open_seal
from iflow_cli_proxy.wiring.watching import AccountWatch
from tests.support.gateway import chat_body, post_chat
from tests.support.people import household

pytest.importorskip("cryptography")


async def test_accounts_that_are_sealed_while_it_runs_go_on_serving(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        account = await house.qwen()
        async with house.gateway("qwen") as gateway:
            folder = find_paths(house.around).accounts_dir
            seal = open_seal("passphrase", folder, {"IFLOW2API_PASSPHRASE": "four words"}, cost=Cost(n=16, r=1, p=1))
            assert house.store.reseal(seal) == 1
            await AccountWatch(gateway.services).look()
            status, _, _ = await post_chat(gateway, chat_body(model="coder-model"))
            (known,) = gateway.services.accounts.last_known()
            (finding,) = gateway.services.accounts.findings
    assert status == 200
    assert known.saved.bearer == account.bearer
    assert "sealed with a passphrase" in finding.problem
