"""Settings in the words of those who obey them: limits, retries, routing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from iflow_cli_proxy.config.schema import Settings, UpstreamSettings
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.deadline import Limits
from iflow_cli_proxy.gateway.exchange import GatewayRules
from iflow_cli_proxy.gateway.retry import RetryRules
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.rules import Choosing, PoolRules, Strategy
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.routing.parameters import ParameterRule
from iflow_cli_proxy.routing.resolve import RoutingTable
from iflow_cli_proxy.state.ledger import LedgerRules
from iflow_cli_proxy.state.retention import Retention


def ledger_rules(settings: Settings) -> LedgerRules:
    chosen = settings.ledger
    return LedgerRules(
        retention=Retention(
            days=chosen.retention_days,
            largest_bytes=chosen.max_mb << 20,
            flight_bytes=settings.recorder.max_mb << 20,
        ),
        fails_closed=chosen.on_full == "fail_closed",
    )


def stream_limits(table: UpstreamSettings) -> Limits:
    return _limits(table, "total", table.total_timeout_s)


def json_limits(table: UpstreamSettings) -> Limits:
    return _limits(table, "json_total", table.json_total_timeout_s)


def _limits(table: UpstreamSettings, total_name: str, total_s: float) -> Limits:
    return Limits(
        first_byte_s=table.first_byte_timeout_s,
        idle_s=table.idle_timeout_s,
        content_s=table.content_timeout_s,
        total_s=total_s,
        total_name=total_name,
    )


def routing_table(settings: Settings, catalogs: Mapping[str, Catalog]) -> RoutingTable:
    return RoutingTable(
        catalogs=catalogs,
        default_provider=settings.routing.default_provider.lower(),
        aliases=settings.models.aliases,
        fallbacks=settings.routing.fallbacks,
        passes_unknown=settings.routing.unknown_models == "pass",
    )


def pool_rules(settings: Settings, accounts: Iterable[Account]) -> PoolRules:
    """How accounts are chosen and when they rest; `accounts` are those that weights are given to."""
    everyone = tuple(accounts)
    resilience, routing = settings.resilience, settings.routing
    general = _weights(routing.weights, everyone)
    return PoolRules(
        choosing=Choosing(strategy=Strategy(routing.strategy), weights=general),
        pools={
            name: Choosing(
                strategy=Strategy(pool.strategy or routing.strategy),
                weights=general | _weights(pool.weights, everyone),
            )
            for name, pool in settings.pools.items()
        },
        failure_threshold=resilience.failure_threshold,
        cool_down_s=resilience.cool_down_s,
        longest_rest_s=resilience.longest_rest_s,
        sticky_ttl_s=settings.routing.sticky_ttl_s,
    )


def _weights(globs: Mapping[str, float], accounts: Iterable[Account]) -> dict[str, float]:
    """By account id; of several globs that fit, the first counts."""
    found: dict[str, float] = {}
    for account in accounts:
        name = f"{account.provider}/{account.label}".lower()
        weight = next((w for glob, w in globs.items() if fnmatchcase(name, glob.lower())), None)
        if weight is not None:
            found[account.id] = weight
    return found


def gateway_rules(settings: Settings) -> GatewayRules:
    """Raises ConfigError when a parameter rule makes no sense."""
    resilience = settings.resilience
    return GatewayRules(
        retry=RetryRules(
            max_attempts=resilience.max_attempts,
            same_account=resilience.retry_attempts,
            backoff_s=resilience.retry_backoff_ms / 1000,
            allows_ambiguous=resilience.retry_ambiguous,
            statuses=frozenset(resilience.retry_status_codes),
        ),
        answer=AnswerRules(
            parameters=tuple(
                ParameterRule(pattern=pattern, default=rule.default, override=rule.override, remove=rule.remove)
                for pattern, rule in settings.models.parameters.items()
            ),
            merges_reasoning=not settings.reasoning.preserve,
            names_account=settings.server.response_headers,
            repairs_messages=settings.conveniences.repair_messages,
            keeps_rounds=settings.conveniences.keep_rounds if settings.conveniences.compress_context else 0,
            continues=settings.conveniences.continue_times if settings.conveniences.auto_continue else 0,
        ),
        pools={name: pool.accounts for name, pool in settings.pools.items()},
        keeps_rounds_when_asked=settings.conveniences.keep_rounds,
    )
