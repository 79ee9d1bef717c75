"""Settings in the words of the gateway."""

from __future__ import annotations

from collections import Counter

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool, Lease
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.wiring.rules import gateway_rules, json_limits, pool_rules, routing_table, stream_limits
from tests.support.gateway import settings_from


def test_streams_and_json_answers_have_their_own_limit_and_its_name() -> None:
    table = settings_from(
        "[upstream]\nfirst_byte_timeout_s = 1\nidle_timeout_s = 2\ncontent_timeout_s = 3\n"
        "total_timeout_s = 4\njson_total_timeout_s = 5\n"
    ).upstream
    stream, whole = stream_limits(table), json_limits(table)
    assert (stream.first_byte_s, stream.idle_s, stream.content_s, stream.total_s) == (1, 2, 3, 4)
    assert (whole.first_byte_s, whole.idle_s, whole.content_s, whole.total_s) == (1, 2, 3, 5)
    assert (stream.total_name, whole.total_name) == ("total", "json_total")


def test_a_default_provider_is_meant_however_it_is_spelt() -> None:
    settings = settings_from(
        '[routing]\ndefault_provider = "OpenRouter"\nunknown_models = "reject"\n[models.aliases]\nfast = "m"\n'
    )
    catalog = Catalog()
    catalog.merge_remote([Model(id="m")])
    table = routing_table(settings, {"openrouter": catalog})
    assert table.default_provider == "openrouter"
    assert table.aliases == {"fast": "m"}
    assert not table.passes_unknown
    assert routing_table(settings_from(""), {}).passes_unknown


def test_fallbacks_are_as_they_are_written() -> None:
    settings = settings_from('[routing]\nfallbacks = { "glm-5" = ["glm-4.7", "openrouter/z-ai/glm-4.7"] }\n')
    assert routing_table(settings, {}).fallbacks == {"glm-5": ("glm-4.7", "openrouter/z-ai/glm-4.7")}
    assert routing_table(settings_from(""), {}).fallbacks == {}


def test_retries_parameters_and_headers_are_the_settings() -> None:
    rules = gateway_rules(
        settings_from(
            "[resilience]\nmax_attempts = 7\nretry_attempts = 2\nretry_backoff_ms = 250\nretry_ambiguous = false\n"
            "retry_status_codes = [503]\n[reasoning]\npreserve = false\n[server]\nresponse_headers = false\n"
            '[models.parameters."glm-*"]\ndefault = { temperature = 0.5 }\nremove = ["logprobs"]\n'
        )
    )
    assert (rules.retry.max_attempts, rules.retry.same_account, rules.retry.backoff_s) == (7, 2, 0.25)
    assert rules.retry.statuses == {503}
    assert not rules.retry.allows_ambiguous
    assert rules.answer.merges_reasoning
    assert not rules.answer.names_account
    (rule,) = rules.answer.parameters
    assert (rule.pattern, rule.default, rule.remove) == ("glm-*", {"temperature": 0.5}, ("logprobs",))


def test_weights_are_for_everybody_and_those_of_a_pool_for_its_callers() -> None:
    settings = settings_from(
        '[routing]\nstrategy = "weighted"\nweights = { "up/big" = 9, "up/*" = 2 }\n'
        '[pools.team]\naccounts = ["up/*"]\nweights = { "up/small" = 5 }\n'
    )
    accounts = [Account(id=name, provider="up", label=name) for name in ("big", "small")]
    rules = pool_rules(settings, [*accounts, Account(id="other", provider="q", label="other")])
    assert rules.choosing.weights == {"big": 9, "small": 2}
    assert rules.pools["team"].weights == {"big": 9, "small": 5}

    pool = AccountPool(accounts, rules=rules)
    leases = [pool.take(Wish(provider="up"), 0.0) for _ in range(11)]
    assert Counter(lease.account.id for lease in leases if isinstance(lease, Lease)) == {"big": 9, "small": 2}
