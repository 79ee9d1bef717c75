from __future__ import annotations

import pytest

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.configured import configured
from iflow_cli_proxy.providers.discovery import Discovery
from iflow_cli_proxy.providers.presets import Preset

PRESET = Preset(key_variables=("DESK_KEY", "DESK_TOKEN"))


def found(settings: ProviderSettings, *, default_concurrency: int = 0, **environ: str) -> Discovery:
    return configured("desk", settings, PRESET, environ, default_concurrency=default_concurrency)


def test_a_key_of_the_table_goes_before_one_of_the_environment() -> None:
    settings = ProviderSettings(api_key=Secret("sk-table"), api_key_env="MY_KEY", concurrency=4)
    [account] = found(settings, MY_KEY="sk-env").accounts
    assert (account.id, account.api_key.reveal(), account.concurrency) == ("desk", "sk-table", 4)
    assert account.origin == "providers.desk.api_key"


def test_a_key_may_come_from_a_named_variable_instead_of_the_usual_ones() -> None:
    settings = ProviderSettings(api_key_env="MY_KEY")
    [account] = found(settings, MY_KEY=" sk-env\n", DESK_KEY="sk-other").accounts
    assert (account.api_key.reveal(), account.origin) == ("sk-env", "MY_KEY")


def test_of_the_usual_variables_the_first_that_is_set_counts() -> None:
    [account] = found(ProviderSettings(), DESK_KEY=" ", DESK_TOKEN="sk-2").accounts
    assert account.origin == "DESK_TOKEN"


def test_only_a_variable_that_was_named_is_missed() -> None:
    assert found(ProviderSettings()) == Discovery()
    assert [one.where for one in found(ProviderSettings(api_key_env="MY_KEY")).findings] == ["MY_KEY"]


@pytest.mark.parametrize("key", ["sk-x\r\ny: z", "sk x", "sk-ü"])
def test_a_key_that_could_not_stand_in_a_header_is_not_sent(key: str) -> None:
    refused = found(ProviderSettings(api_key=Secret(key)))
    assert refused.accounts == ()
    assert "characters" in refused.findings[0].problem


def test_who_calls_says_how_many_requests_go_out_where_the_table_does_not() -> None:
    [account] = found(ProviderSettings(), default_concurrency=1, DESK_KEY="sk-1").accounts
    assert account.concurrency == 1
