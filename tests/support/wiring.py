"""A home folder with accounts in it, and what is wired from it: nothing of this machine's user is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.paths import Paths, find_paths
from iflow_cli_proxy.transport.base import Transport
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.services import Services
from iflow_cli_proxy.wiring.transports import Transports
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply, FakeTransport
from tests.support.gateway import settings_from

LATER = 1_700_100_000.0
"""Long after a FakeClock begins, so that what ends then is fresh."""


def around(home: Path, environ: Mapping[str, str] | None = None) -> tuple[Paths, dict[str, str]]:
    variables = {"IFLOW2API_HOME": str(home), "IFLOW_HOME": str(home / ".iflow"), **(environ or {})}
    return find_paths(variables), variables


def services(
    toml: str, home: Path, environ: Mapping[str, str] | None = None, *, clock: Clock | None = None
) -> Services:
    return Services(Live(settings_from(toml)), *around(home, environ), home=home, clock=clock)


def accounts(
    toml: str,
    home: Path,
    environ: Mapping[str, str] | None = None,
    *,
    clock: Clock | None = None,
    transport: FakeTransport | None = None,
    **options: Any,
) -> Accounts:
    transports = OneTransport(transport or FakeTransport(FakeReply(b"{}")))
    return Accounts(
        settings_from(toml),
        *around(home, environ),
        home=home,
        clock=clock or FakeClock(),
        transports=transports,
        **options,
    )


class OneTransport(Transports):
    """The same one for everybody."""

    def __init__(self, transport: FakeTransport) -> None:
        super().__init__()
        self._transport = transport

    def of(self, table: ProviderSettings) -> Transport:
        return self._transport  # type: ignore[return-value]

    async def aclose(self) -> None:
        await self._transport.aclose()


def store(home: Path, clock: Clock | None = None) -> AccountStore:
    return AccountStore(around(home)[0].accounts_dir, clock=clock or FakeClock())


def keep(home: Path, account: SavedAccount) -> SavedAccount:
    """Put an account into the store."""
    store(home).create(account)
    return account


def on_disk(home: Path, account_id: str) -> SavedAccount:
    return next(one for one in store(home).load().accounts if one.id == account_id)


def qwen_account(id: str = "ada", **changes: Any) -> SavedAccount:
    """A sign-in whose bearer is its access token."""
    given: dict[str, Any] = {
        "id": id,
        "provider": "qwen",
        "label": id,
        "auth_type": AuthType.OAUTH,
        "tokens": Tokens(
            access_token=Secret(f"at-of-{id}-0123456789"),
            refresh_token=Secret(f"rt-of-{id}-0123456789"),
            expires_at=LATER,
        ),
        "created_at": 1_600_000_000.0,
        "updated_at": 1_600_000_000.0,
    }
    return SavedAccount(**given | changes)


def new_tokens(name: str = "newer") -> FakeReply:
    """A token server's good answer."""
    tree = {
        "access_token": f"at-{name}-0123456789",
        "refresh_token": f"rt-{name}-0123456789",
        "token_type": "Bearer",
        "expires_in": 21_600,
    }
    return FakeReply(jsonx.encode(tree))


def iflow_files(home: Path, *, key: str = "sk-first-0123456789", access: str = "at-1", **settings: Any) -> Path:
    """A sign-in of the iFlow client; `settings` go to settings.json."""
    folder = home / ".iflow"
    folder.mkdir(mode=0o700, exist_ok=True)
    creds = {
        "access_token": f"{access}-0123456789",
        "refresh_token": "rt-0123456789",
        "expiry_date": int(LATER * 1000),
        "apiKey": key,
    }
    write_json(folder / "oauth_creds.json", creds)
    write_json(folder / "settings.json", settings)
    return folder


def qwen_file(home: Path, name: str = "", **fields: Any) -> Path:
    """A sign-in of Qwen Code; `name` makes it one of its named accounts."""
    folder = home / ".qwen"
    folder.mkdir(mode=0o700, exist_ok=True)
    creds = {
        "access_token": f"at-of-{name or 'default'}-0123456789",
        "refresh_token": f"rt-of-{name or 'default'}-0123456789",
        "token_type": "Bearer",
        "expiry_date": int(LATER * 1000),
        **fields,
    }
    path = folder / (f"oauth_creds_{name}.json" if name else "oauth_creds.json")
    write_json(path, creds)
    return path


def write_json(path: Path, tree: Any) -> None:
    path.write_bytes(jsonx.encode(tree))
    path.chmod(0o600)
