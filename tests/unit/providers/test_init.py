from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import Surroundings, build_provider, find_accounts, kind_of
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.discovery import FileText
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from iflow_cli_proxy.providers.presets import presets
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

SETTINGS_FILE = Path("/home/me/.iflow/settings.json")


def around(environ: dict[str, str] | None = None, files: dict[Path, bytes] | None = None, **more: Any) -> Surroundings:
    def read(path: Path) -> FileText | None:
        data = (files or {}).get(path)
        return None if data is None else FileText(data=data, modified_at=1.0)

    return Surroundings(
        clock=FakeClock(),
        entropy=counting_entropy(),
        environ=environ or {},
        read=read,
        home=Path("/home/me"),
        **more,
    )


def test_a_table_is_of_the_kind_it_is_named_after() -> None:
    assert kind_of("iflow", ProviderSettings()) == "iflow"
    assert kind_of("deepseek", ProviderSettings()) == "deepseek"
    assert kind_of("desk", ProviderSettings()) == "openai_compatible"
    assert kind_of("desk", ProviderSettings(kind="ollama")) == "ollama"


@pytest.mark.parametrize("name", presets())
def test_every_preset_makes_a_provider_that_calls_its_own_address(name: str) -> None:
    provider = build_provider(name, ProviderSettings(), around())
    account = find_accounts(name, ProviderSettings(), around({presets()[name].key_variables[0]: "sk-x"})).accounts[0]
    request = provider.prepare(Call(account=account, model="m", fields={}, is_stream=False))
    assert isinstance(provider, OpenAICompatible)
    assert request.url == presets()[name].base_url + "/chat/completions"
    assert request.headers["Authorization"] == "Bearer sk-x"


def test_iflow_takes_its_settings() -> None:
    settings = ProviderSettings(base_url="http://127.0.0.1:9/v1", headers="minimal", models=("my-model", "glm-5"))
    texts = {"iflow": '[[models]]\nid = "glm-6"'}
    provider = build_provider("iflow", settings, around(model_files=texts, thinking="off"))
    assert isinstance(provider, IflowProvider)
    account = find_accounts("iflow", settings, around({"IFLOW_API_KEY": "sk-x"})).accounts[0]
    request = provider.prepare(Call(account=account, model="glm-5", fields={}, is_stream=False))
    assert request.url.startswith("http://127.0.0.1:9/")
    assert "accept-language" not in request.headers
    assert jsonx.decode(request.body)["enable_thinking"] is False
    assert provider.catalog.find("my-model") is not None
    assert provider.catalog.find("glm-6") is not None
    known = provider.catalog.find("glm-5")
    assert known is not None
    assert known.context_tokens == 170000


@pytest.mark.parametrize(("kind", "hint"), [("claude", "use one of iflow"), ("deepsek", "did you mean deepseek?")])
def test_an_unknown_kind_is_refused_with_what_there_is(kind: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_provider("mine", ProviderSettings(kind=kind), around())
    assert caught.value.param == "providers.mine.kind"
    assert hint in caught.value.hint


def test_a_table_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build_provider("desk", ProviderSettings(), around())
    assert caught.value.param == "providers.desk.base_url"


def test_a_named_variable_that_is_not_set_is_told_and_the_upstream_still_called() -> None:
    found = find_accounts("desk", ProviderSettings(api_key_env="DESK_KEY", base_url="http://d:1"), around())
    assert not found.accounts[0].api_key
    assert found.findings[0].where == "DESK_KEY"


def test_a_local_server_needs_no_key() -> None:
    found = find_accounts("ollama", ProviderSettings(), around())
    assert len(found.accounts) == 1
    assert found.findings == ()


def test_a_service_that_needs_a_key_says_which_variable_it_looks_at() -> None:
    found = find_accounts("deepseek", ProviderSettings(), around())
    assert found.accounts == ()
    assert found.findings[-1].hint == "set DEEPSEEK_API_KEY"


def test_a_sign_in_of_the_configuration_is_no_account_before_somebody_has_signed_in() -> None:
    oauth = OAuthSettings(token_url="https://id.example/token", device_url="https://id.example/d", client_id="c")
    settings = ProviderSettings(base_url="http://d:1", oauth=oauth)

    found = find_accounts("desk", settings, around())

    assert found.accounts == ()
    assert found.findings[-1].hint == "iflow2api login desk"
    assert len(find_accounts("desk", replace(settings, api_key=Secret("sk-1")), around()).accounts) == 1


def test_an_existing_sign_in_of_the_iflow_client_is_found_with_no_command() -> None:
    files = {SETTINGS_FILE: b'{"apiKey": "sk-cli"}'}
    [account] = find_accounts("iflow", ProviderSettings(), around(files=files)).accounts
    assert account.api_key.reveal() == "sk-cli"
    [account] = find_accounts("iflow", ProviderSettings(concurrency=3), around(files=files)).accounts
    assert account.concurrency == 3
    own = ProviderSettings(api_key=Secret("sk-own"))
    [account] = find_accounts("iflow", own, around(files=files)).accounts
    assert (account.api_key.reveal(), account.concurrency) == ("sk-own", 1)
