import pytest

from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, TableSpec, spec_of
from iflow_cli_proxy.config.names import find_leaf, find_setting, nearest_setting, type_of_entry
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("server.port", ("server", "port")),
        ("models.aliases.claude-*", ("models", "aliases", "claude-*")),
        ("models.aliases.glm-4.7", ("models", "aliases", "glm-4.7")),
        ('models.aliases."glm-4.7"', ("models", "aliases", "glm-4.7")),
        ("providers.desk.base_url", ("providers", "desk", "base_url")),
        ("providers.desk.headers.x-team", ("providers", "desk", "headers", "x-team")),
        (
            'models.parameters."glm-4.*".default.temperature',
            ("models", "parameters", "glm-4.*", "default", "temperature"),
        ),
    ],
)
def test_a_name_is_found_as_people_type_it(typed: str, path: tuple[str, ...]) -> None:
    assert find_leaf(typed)[0] == path


def test_tables_are_found_too_but_are_no_leaves() -> None:
    assert isinstance(find_setting("server")[1], TableSpec)
    assert isinstance(find_setting("providers")[1], NamedSpec)
    with pytest.raises(ConfigError, match="server is a table"):
        find_leaf("server")


@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        ("server.prot", "server.port"),
        ("port", "server.port"),
        ("servre.port", "server"),
        ("server.port.x", "server.port"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(typed: str, guess: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_setting(typed)

    assert f"Did you mean {guess}?" in caught.value.message


@pytest.mark.parametrize("typed", ["", ".", "zzz", '"', "server..port"])
def test_nonsense_is_refused_with_a_way_on(typed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_setting(typed)

    assert "config show" in caught.value.hint


def test_an_entry_has_the_type_of_the_tables_values() -> None:
    path, spec = find_leaf("models.aliases.x")
    assert type_of_entry(path, spec) is str
    path, spec = find_leaf("server.port")
    assert type_of_entry(path, spec) is int
    path, spec = find_leaf("providers.desk.headers.x-team")
    assert type_of_entry(path, spec) is str


def test_a_stray_leaf_is_looked_for_in_all_tables() -> None:
    root = spec_of(Settings)
    assert nearest_setting(("idle_timeout_s",), root) == ("upstream", "idle_timeout_s")
    assert nearest_setting(("zzz",), root) == ()
    assert isinstance(root.at(("server", "port")), LeafSpec)
