from dataclasses import replace

import pytest

from iflow_cli_proxy.config.safety import are_keys_required, check_safe, is_loopback
from iflow_cli_proxy.config.schema import AuthSettings, KeysRequired, ServerSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret

LONG = (Secret("sk-team-0123456789abcdef"),)


def on(host: str, required: KeysRequired = "auto", keys: tuple[Secret, ...] = ()) -> Settings:
    return Settings(server=ServerSettings(host=host), auth=AuthSettings(required=required, client_keys=keys))


@pytest.mark.parametrize(
    ("required", "host", "expected"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "::1", False),
        ("auto", "localhost", False),
        ("auto", "0.0.0.0", True),
        ("auto", "192.168.1.7", True),
        ("auto", "gateway.example", True),
        ("always", "127.0.0.1", True),
        ("never", "0.0.0.0", False),
    ],
)
def test_keys_are_asked_for_where_strangers_can_reach_us(required: KeysRequired, host: str, expected: bool) -> None:
    settings = Settings(auth=AuthSettings(required=required), server=ServerSettings(host=host))

    assert are_keys_required(settings) is expected


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_loopback_is_known_by_every_name(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        (on("0.0.0.0"), "auth.client_keys"),
        (on("::"), "auth.client_keys"),
        (on("gateway.example", keys=(*LONG, Secret("short"))), "auth.client_keys"),
        (on("0.0.0.0", "never"), "auth.required"),
        (on("0.0.0.0", "never", LONG), "auth.required"),
        (on("127.0.0.1", "always"), "auth.client_keys"),
        (replace(Settings(), server=ServerSettings(workers=2)), "server.workers"),
    ],
)
def test_what_lets_strangers_in_or_is_not_there_yet_is_refused_with_the_way_out(settings: Settings, param: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_safe(settings)

    assert raised.value.param == param
    assert raised.value.hint
    assert "short" not in raised.value.message


@pytest.mark.parametrize(
    "settings",
    [on("0.0.0.0", keys=LONG), on("127.0.0.1"), on("::1", "never"), on("127.0.0.1", keys=(Secret("short"),))],
)
def test_safe_settings_pass_unchanged(settings: Settings) -> None:
    assert check_safe(settings) is settings


@pytest.mark.parametrize("settings", [on("0.0.0.0"), on("gateway.example", "always"), on("127.0.0.1", "always")])
def test_a_key_from_elsewhere_is_as_good_as_one_of_the_configuration(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="client key") as raised:
        check_safe(settings)
    assert "iflow2api key create" in raised.value.hint

    assert check_safe(settings, has_other_keys=True) is settings
    by_account = replace(settings, auth=replace(settings.auth, accept_account_ids=True))
    with pytest.raises(ConfigError, match="client key"):
        check_safe(by_account)  # there may be no account


@pytest.mark.parametrize("settings", [on("0.0.0.0", "never"), on("0.0.0.0", keys=(Secret("short"),))])
def test_a_key_from_elsewhere_does_not_open_another_door(settings: Settings) -> None:
    with pytest.raises(ConfigError):
        check_safe(settings, has_other_keys=True)
