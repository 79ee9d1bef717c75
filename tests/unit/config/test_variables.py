import pytest

from iflow_cli_proxy.config.leaf import spec_of
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.config.variables import SPECIAL, distance, is_misspelt, meant_by, setting_of, variable_of

ROOT = spec_of(Settings)


def test_every_leaf_has_a_variable_of_its_own_that_leads_back_to_it() -> None:
    paths = [path for path, _ in ROOT.leaves()]

    assert len({variable_of(path) for path in paths}) == len(paths)
    for path in paths:
        found = setting_of(variable_of(path), ROOT)
        assert found is not None
        assert found[0] == path


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("IFLOW2API_UPSTREAM_FIRST_BYTE_TIMEOUT_S", ("upstream", "first_byte_timeout_s")),
        ("IFLOW2API_MODELS_ALIASES", ("models", "aliases")),
        ("IFLOW2API_MODELS_PARAMETERS", ("models", "parameters")),
        ("IFLOW2API_PROVIDERS", ("providers",)),
        ("IFLOW2API_PROVIDERS_DESK_BASE_URL", ("providers", "desk", "base_url")),
        ("IFLOW2API_PROVIDERS_DESK_API_KEY", ("providers", "desk", "api_key")),
        ("IFLOW2API_PROVIDERS_DESK_API_KEY_ENV", ("providers", "desk", "api_key_env")),
        ("IFLOW2API_PROVIDERS_MY_DESK_PROXY", ("providers", "my_desk", "proxy")),
        ("IFLOW2API_PROVIDERS_LLAMA_CPP_CA_FILE", ("providers", "llama-cpp", "ca_file")),
        ("IFLOW2API_POOLS_MY_TEAM_STRATEGY", ("pools", "my-team", "strategy")),
        ("IFLOW2API_POOLS_LLAMA_CPP_WEIGHTS", ("pools", "llama_cpp", "weights")),
    ],
)
def test_variables_of_tables_providers_and_pools_are_understood(variable: str, path: tuple[str, ...]) -> None:
    found = setting_of(variable, ROOT, {"providers": ["desk", "llama-cpp"], "pools": ["my-team"]})

    assert found is not None
    assert found[0] == path


@pytest.mark.parametrize(
    "variable", ["IFLOW2API_HOME", "IFLOW2API_SERVER_PROT", "IFLOW2API_PROVIDERS_DESK_ZZZ", "PATH"]
)
def test_other_variables_stand_for_nothing(variable: str) -> None:
    assert setting_of(variable, ROOT) is None


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("IFLOW2API_SERVR_PORT", "IFLOW2API_SERVER_PORT"),
        ("IFLOW2API_SREVER_PORT", "IFLOW2API_SERVER_PORT"),
        ("IFLOW2API_SERVERPORT", "IFLOW2API_SERVER_PORT"),
        ("IFLOW2API_SERVER_PROT", "IFLOW2API_SERVER_PORT"),
        ("IFLOW2API_LOG_LEVEL", "IFLOW2API_LOGGING_LEVEL"),
        ("IFLOW2API_CLIENT_KEYS", "IFLOW2API_CLIENT_KEY"),
    ],
)
def test_a_slip_of_the_fingers_is_known_and_mostly_what_was_meant(variable: str, meant: str) -> None:
    assert is_misspelt(variable, ROOT)
    assert meant_by(variable, ROOT) == meant


@pytest.mark.parametrize("variable", ["IFLOW2API_WIDGET_COLOUR", "IFLOW2API_DEMO_DELAY_MS", "IFLOW2API_X"])
def test_what_resembles_nothing_of_ours_may_belong_to_another_program(variable: str) -> None:
    assert not is_misspelt(variable, ROOT)


def test_what_is_ours_but_no_setting_is_listed() -> None:
    assert {
        "IFLOW2API_HOME", "IFLOW2API_CONFIG", "IFLOW2API_LANG", "IFLOW2API_CLIENT_KEY", "IFLOW2API_UPSTREAM_API_KEY",
        "IFLOW2API_PASSPHRASE", "IFLOW2API_PASSPHRASE_FILE", "IFLOW2API_KEYS_JSON", "IFLOW2API_KEYS_PATH",
    } == SPECIAL  # fmt: skip


def test_the_distance_counts_letters_put_in_taken_out_and_replaced() -> None:
    assert [distance("server", word) for word in ("server", "servr", "sserver", "serber", "")] == [0, 1, 1, 1, 6]
