"""Precedence and inheritance, source by source; `test_load.py` reads files."""

import pytest

from iflow_cli_proxy.config.leaf import Path
from iflow_cli_proxy.config.merge import Merge
from iflow_cli_proxy.config.origin import InvalidConfig, Layer, Origin, Problem
from iflow_cli_proxy.core.secret import Secret


def from_file(_: Path) -> Origin:
    return Origin(Layer.CONFIG, "config.toml")


def test_nothing_merged_is_the_defaults() -> None:
    settings, origins = Merge().result()

    assert settings.server.port == 28000
    assert len(origins) == 0


def test_later_sources_win_leaf_by_leaf() -> None:
    merge = Merge()
    merge.tree({"server": {"port": 1, "host": "a", "drain_s": 1}}, from_file)
    merge.environment({"IFLOW2API_SERVER_PORT": "2", "IFLOW2API_SERVER_DRAIN_S": "2"})
    merge.flags({"server.port": 3, "server.host": None})

    settings, origins = merge.result()

    assert (settings.server.port, settings.server.drain_s, settings.server.host) == (3, 2.0, "a")
    assert str(origins.of(("server", "port"))) == "--port"
    assert str(origins.of(("server", "drain_s"))) == "IFLOW2API_SERVER_DRAIN_S"
    assert str(origins.of(("server", "host"))) == "config.toml"


def test_tables_of_free_names_merge_entry_by_entry_and_lists_are_replaced() -> None:
    merge = Merge()
    merge.tree({"models": {"aliases": {"a": "1", "b": "2"}}, "resilience": {"retry_status_codes": [429]}}, from_file)
    merge.environment({"IFLOW2API_MODELS_ALIASES": '{ b = "3" }', "IFLOW2API_RESILIENCE_RETRY_STATUS_CODES": "500,503"})

    settings, origins = merge.result()

    assert settings.models.aliases == {"a": "1", "b": "3"}
    assert settings.resilience.retry_status_codes == (500, 503)
    assert origins.of(("models", "aliases", "a")).layer is Layer.CONFIG
    assert origins.of(("models", "aliases", "b")).layer is Layer.ENVIRONMENT


def test_a_named_header_set_replaces_a_table_and_the_other_way_round() -> None:
    merge = Merge()
    merge.tree({"providers": {"iflow": {"headers": {"a": "1"}}, "two": {"headers": "minimal"}}}, from_file)
    merge.environment(
        {"IFLOW2API_PROVIDERS_IFLOW_HEADERS": "minimal", "IFLOW2API_PROVIDERS_TWO_HEADERS": '{ b = "2" }'}
    )

    providers = merge.result()[0].providers

    assert providers["iflow"].headers == "minimal"
    assert providers["two"].headers == {"b": "2"}


def test_a_provider_inherits_from_upstream_whatever_the_order_of_sources() -> None:
    merge = Merge()
    merge.tree({"providers": {"desk": {"idle_timeout_s": 1}, "bare": {}}}, from_file)
    merge.environment({"IFLOW2API_UPSTREAM_IDLE_TIMEOUT_S": "7", "IFLOW2API_UPSTREAM_TRUST_ENV": "yes"})

    settings, origins = merge.result()

    assert settings.providers["desk"].idle_timeout_s == 1
    assert settings.providers["desk"].trust_env is True
    assert settings.providers["bare"].idle_timeout_s == 7
    assert str(origins.of(("providers", "bare", "idle_timeout_s"))) == "IFLOW2API_UPSTREAM_IDLE_TIMEOUT_S"


def test_a_variable_finds_the_existing_provider_with_a_dash_in_its_name() -> None:
    merge = Merge()
    merge.tree({"providers": {"llama-cpp": {}}}, from_file)
    merge.environment({"IFLOW2API_PROVIDERS_LLAMA_CPP_BASE_URL": "http://h/v1", "IFLOW2API_PROVIDERS_NEW_MODELS": "m"})

    providers = merge.result()[0].providers

    assert list(providers) == ["llama-cpp", "new"]
    assert providers["llama-cpp"].base_url == "http://h/v1"
    assert providers["new"].models == ("m",)


def test_a_whole_named_table_may_come_from_one_variable() -> None:
    merge = Merge()
    merge.environment({"IFLOW2API_MODELS_PARAMETERS": '{ "glm-*" = { default = { temperature = 0.5 } } }'})

    rules = merge.result()[0].models.parameters["glm-*"]

    assert rules.default == {"temperature": 0.5}
    assert rules.remove == ()


def test_client_keys_of_the_environment_are_added_to_those_of_the_file() -> None:
    merge = Merge()
    merge.tree({"auth": {"client_keys": ["one"]}}, from_file)
    merge.environment({"IFLOW2API_CLIENT_KEY": "two, three"})

    assert merge.result()[0].auth.client_keys == (Secret("one"), Secret("two"), Secret("three"))


def test_empty_and_foreign_variables_and_the_key_of_serve_upstream_are_no_settings() -> None:
    merge = Merge()
    merge.environment(
        {
            "IFLOW2API_SERVER_PORT": "",
            "IFLOW2API_CLIENT_KEY": "",
            "IFLOW2API_HOME": "/x",
            "IFLOW2API_UPSTREAM_API_KEY": "sk",
            "SERVER_PORT": "1",
        }
    )

    assert len(merge.result()[1]) == 0


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"server": 1}, "server takes a table"),
        ({"providers": 1}, "providers takes a table"),
        ({"providers": {"desk": 1}}, "providers.desk takes a table"),
        ({"providers": {"../x": {}}}, 'providers."../x" is no name for a provider'),
        ({"pools": {"My Team": {}}}, 'pools."My Team" is no name for a pool'),
        ({"pools": {"work": {"strategy": "wieghted"}}}, 'fill_first, sticky, "" (did you mean "weighted"?)'),
        ({"pools": {"work": {"weights": {"a": -1}}}}, "takes a table with a number for each name, 0 or more"),
        ({"models": {"aliases": []}}, "models.aliases takes a table"),
        ({"server": {"port": []}}, "server.port takes a whole number between 0 and 65535"),
        ({"port": 1}, "did you mean server.port?"),
        ({"sever": {}}, "did you mean server?"),
        ({"providers": {"desk": {"base_ulr": "x"}}}, "did you mean providers.desk.base_url?"),
        ({"zzz": 1}, "config show"),
    ],
)
def test_a_mistake_is_named_and_answered(tree: dict[str, object], message: str) -> None:
    merge = Merge()
    merge.tree(tree, from_file)

    with pytest.raises(InvalidConfig) as caught:
        merge.result()

    assert message in caught.value.message
    assert "config.toml" in caught.value.message


def test_a_variable_reaches_the_pool_of_the_file_whose_name_has_a_hyphen() -> None:
    merge = Merge()
    merge.tree({"pools": {"my-team": {"accounts": ["iflow/*"]}}}, from_file)
    merge.environment({"IFLOW2API_POOLS_MY_TEAM_STRATEGY": "sticky"})

    pools = merge.result()[0].pools

    assert {name: pool.strategy for name, pool in pools.items()} == {"my-team": "sticky"}


def test_an_unknown_variable_of_a_known_table_is_a_mistake() -> None:
    merge = Merge()
    merge.environment({"IFLOW2API_SERVER_PROT": "1"})

    with pytest.raises(InvalidConfig, match="did you mean IFLOW2API_SERVER_PORT"):
        merge.result()


def test_a_slip_in_the_table_of_a_variable_is_noticed() -> None:
    merge = Merge()
    merge.environment({"IFLOW2API_SERVR_PORT": "3", "IFLOW2API_WIDGET": "another program's"})

    with pytest.raises(InvalidConfig, match="did you mean IFLOW2API_SERVER_PORT") as caught:
        merge.result()

    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("server.port", 70000, "--port takes a whole number between 0 and 65535"),
        ("logging.level", "loud", "--log-level takes one of debug"),
        ("server.host", "", "--host takes an address such as 127.0.0.1"),
    ],
)
def test_a_bad_flag_is_called_by_the_name_it_was_typed_with(name: str, value: object, message: str) -> None:
    merge = Merge()
    merge.flags({name: value})

    with pytest.raises(InvalidConfig) as caught:
        merge.result()

    assert caught.value.message.startswith(message)
    assert caught.value.param == message.partition(" ")[0]
    assert "validate" not in caught.value.hint


def test_all_mistakes_of_all_sources_are_reported_together() -> None:
    merge = Merge()
    merge.problem(Problem(name="", place="overrides.toml", message="this is not TOML"))
    merge.tree({"server": {"port": "x", "host": 1}}, from_file)
    merge.environment({"IFLOW2API_SERVER_WORKERS": "none"})
    merge.flags({"server.port": "70000"})

    with pytest.raises(InvalidConfig) as caught:
        merge.result()

    assert len(caught.value.problems) == 5


def test_a_flag_for_no_setting_is_our_own_bug() -> None:
    with pytest.raises(KeyError):
        Merge().flags({"server.prot": 1})


def test_no_mistake_repeats_a_secret() -> None:
    merge = Merge()
    merge.tree({"providers": {"desk": {"api_key": ["sk-canary"], "base_url": "canary"}}}, from_file)
    merge.environment({"IFLOW2API_UPSTREAM_PROXY": "canary://me:canary@x"})

    with pytest.raises(InvalidConfig) as caught:
        merge.result()

    assert "canary" not in str(caught.value)
    assert len(caught.value.problems) == 3
