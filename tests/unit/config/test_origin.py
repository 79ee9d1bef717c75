from iflow_cli_proxy.config.origin import (
    DEFAULT,
    InvalidConfig,
    Layer,
    Origin,
    Origins,
    Problem,
    dotted,
    nearest,
    quoted,
)


def test_dotted_quotes_only_what_toml_would() -> None:
    assert dotted(("server", "port")) == "server.port"
    assert dotted(("models", "aliases", "claude-*")) == 'models.aliases."claude-*"'
    assert quoted('a"b\\\n') == '"a\\"b\\\\\\u000a"'


def test_nearest_finds_a_typo_and_leaves_strangers_alone() -> None:
    assert nearest("prot", ["host", "port"]) == "port"
    assert nearest("zebra", ["host", "port"]) == ""


def test_what_nobody_set_is_a_default() -> None:
    assert Origins().of(("server", "port")) is DEFAULT
    assert str(DEFAULT) == "default"


def test_a_table_has_the_origins_of_everything_in_it() -> None:
    file = Origin(Layer.CONFIG, "config.toml:3")
    variable = Origin(Layer.ENVIRONMENT, "IFLOW2API_X")
    origins = Origins({("a", "b"): file, ("a", "c"): variable, ("a", "d"): file, ("z",): file})

    assert origins.under(("a",)) == [file, variable]
    assert origins.under(("other",)) == [DEFAULT]
    assert len(origins) == 4


def test_an_error_lists_every_problem_with_its_place_and_hint() -> None:
    one = Problem(name="server.port", place="config.toml:3", message="server.port takes a whole number")
    two = Problem(name="x", place="", message="x is not a setting", hint="did you mean y?")

    assert str(InvalidConfig([one])) == "config.toml:3: server.port takes a whole number"
    both = InvalidConfig([one, two])
    assert both.message.splitlines() == [
        "2 settings are wrong:",
        "  config.toml:3: server.port takes a whole number",
        "  x is not a setting; did you mean y?",
    ]
    assert both.param == "server.port"
    assert "config validate" in both.hint
