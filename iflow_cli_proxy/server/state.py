"""What the running server shares with its handlers: live settings and services, and who is being served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.background import Supervisor
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.server.stored_responses import StoredResponses
from iflow_cli_proxy.server.tally import Tally
from iflow_cli_proxy.server.tracing import Tracing
from iflow_cli_proxy.state.ledger import Health
from iflow_cli_proxy.telemetry.metrics import Metrics
from iflow_cli_proxy.telemetry.recent import RecentLines
from iflow_cli_proxy.wiring.accounts import Accounts

if TYPE_CHECKING:
    from iflow_cli_proxy.server.streaming import ClientAnswer


async def _knows_nobody(_: str) -> bool:
    return False


@dataclass(kw_only=True)
class ServerState:
    """One for each server. `settings` and `gateway` are replaced as wholes; a request takes each once."""

    settings: Live[Settings]
    gateway: Live[Gateway]
    accounts: Accounts
    supervisor: Supervisor
    clock: Clock
    entropy: Entropy
    reset_account: Callable[[str], Awaitable[bool]] = _knows_nobody
    """Clears what keeps an account out, by its id; False when there is none."""
    is_ledger_full: Callable[[], bool] = lambda: False
    """New requests could not be recorded any more, and are to be refused then."""
    log_lines: RecentLines = field(default_factory=RecentLines)
    """The newest lines of this process's log, of which a handler may be told on the loop."""
    lost_log_lines: Callable[[], int] = lambda: 0
    keys: KeyBook = field(default_factory=KeyBook)
    responses: StoredResponses = field(init=False)
    metrics: Metrics = field(init=False)
    tracing: Tracing | None = None
    ledger_health: Callable[[], Health] = Health
    connections: Callable[[], int] = lambda: 0
    """How many clients are connected."""
    in_flight: set[Exchange] = field(default_factory=set)
    answers: set[ClientAnswer] = field(default_factory=set)
    """To every prompt that is being answered; those that a drain may have to end."""
    sign_ins_waited_for: int = 0
    """Device code flows whose end a client waits for."""
    is_draining: bool = False
    """No new work is taken; `/ready` says so first."""
    is_accepting: bool = True
    """False while a person keeps new prompts out; those under way go on."""
    tally: Tally = field(init=False)
    observers: list[Callable[[Exchange], None]] = field(default_factory=list)
    """Told of every exchange that ended; what they raise is logged and harms nobody (F64)."""

    def __post_init__(self) -> None:
        self.responses = StoredResponses(self.clock)
        self.tally = Tally(self.clock)
        self.metrics = Metrics(name_of=self._name_of, by_key=self.settings.current.metrics.by_key)

    def _name_of(self, provider: str, model: str) -> str:
        """What the catalogue in force calls a provider's model; empty where it has none of that name."""
        upstream = self.gateway.current.upstreams.get(provider)
        found = upstream.provider.catalog.split(model)[0] if upstream is not None else None
        return found.id if found is not None else ""
