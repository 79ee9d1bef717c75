import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from iflow_cli_proxy.config.template import template
from tests.support.cli import CliResult, run_cli

KEY = "sk-canary-0123456789abcdef"


class Home:
    """A folder of our own and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.overrides = folder / "overrides.toml"

    def run(self, *args: str, stdin: str = "", **env: str) -> CliResult:
        return run_cli("config", *args, env={"IFLOW2API_HOME": str(self.folder), **env}, stdin=stdin)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_init_writes_the_template_once_and_for_the_owner_only(home: Home) -> None:
    done = home.run("init")

    assert done.out.strip() == str(home.config)
    assert home.config.read_text() == template()
    assert home.config.stat().st_mode & 0o777 == 0o600
    home.config.write_text("# mine\n")

    again = home.run("init")

    assert again.code == 1
    assert str(home.config) in again.err
    assert home.config.read_text() == "# mine\n"


def test_init_can_print_instead_and_speaks_json(home: Home) -> None:
    assert home.run("init", "--print").out == template()
    assert not home.folder.exists()
    assert home.run("init", "--json").json == {"written": str(home.config)}


def test_path_prints_one_path_for_scripts_and_all_on_request(home: Home) -> None:
    assert home.run("path").out == f"{home.config}\n"
    assert home.run("path", "--json").json["overrides_file"] == str(home.overrides)
    assert "accounts_dir" in home.run("path", "--all").out


def test_show_lists_every_setting_with_its_origin(home: Home) -> None:
    home.folder.mkdir()
    home.config.write_text("[server]\nport = 1\n")

    done = home.run("show", "--origins", IFLOW2API_SERVER_WORKERS="2")

    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert rows["server.port"] == ["1", f"{home.config}:2"]
    assert rows["server.workers"] == ["2", "IFLOW2API_SERVER_WORKERS"]
    assert rows["server.host"] == ['"127.0.0.1"', "default"]
    assert "default" not in home.run("show").out.replace("default_provider", "")


def test_show_as_json_holds_the_tree_and_the_origins(home: Home) -> None:
    shown = home.run("show", "--json", IFLOW2API_SERVER_PORT="1").json

    assert shown["settings"]["server"]["port"] == 1
    assert shown["origins"]["server.port"] == "IFLOW2API_SERVER_PORT"
    assert shown["origins"]["server.host"] == "default"


@pytest.mark.parametrize(
    "args", [["show"], ["show", "--json"], ["get", "providers"], ["get", "auth.client_keys"], ["get", "upstream.proxy"]]
)
def test_i45_no_listing_shows_a_secret_unless_asked(home: Home, args: list[str]) -> None:
    env = {
        "IFLOW2API_CLIENT_KEY": KEY,
        "IFLOW2API_PROVIDERS_DESK_API_KEY": KEY,
        "IFLOW2API_PROVIDERS_DESK_HEADERS": f'{{ authorization = "{KEY}" }}',
        "IFLOW2API_UPSTREAM_PROXY": f"http://me:{KEY}@proxy:1",
    }

    masked, revealed = home.run(*args, **env), home.run(*args, "--reveal", **env)

    assert masked.code == 0
    assert "canary" not in masked.out + masked.err
    assert KEY in revealed.out


def test_get_prints_bare_values_for_scripts(home: Home) -> None:
    assert home.run("get", "server.host").out == "127.0.0.1\n"
    assert home.run("get", "server.port").out == "28000\n"
    assert home.run("get", "resilience.retry_status_codes").out == "[429, 500, 502, 503, 504]\n"
    assert home.run("get", "server.port", "--json", IFLOW2API_SERVER_PORT="1").json == {
        "name": "server.port",
        "value": 1,
        "origins": ["IFLOW2API_SERVER_PORT"],
    }


def test_get_knows_what_a_provider_inherits(home: Home) -> None:
    env = {"IFLOW2API_PROVIDERS_DESK_BASE_URL": "http://h/v1", "IFLOW2API_UPSTREAM_IDLE_TIMEOUT_S": "7"}

    assert home.run("get", "providers.desk.idle_timeout_s", "--json", **env).json == {
        "name": "providers.desk.idle_timeout_s",
        "value": 7,
        "origins": ["IFLOW2API_UPSTREAM_IDLE_TIMEOUT_S"],
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("server.prot", "Did you mean server.port?"),
        ("providers.desk", "is not set"),
        ("models.aliases.x", "is not set"),
    ],
)
def test_get_answers_a_wrong_name_with_a_way_on(home: Home, name: str, message: str) -> None:
    done = home.run("get", name)

    assert done.code == 1
    assert message in done.err


def test_set_writes_overrides_and_leaves_the_persons_file_alone(home: Home) -> None:
    home.run("init")

    for name, value in [
        ("server.port", "28_001"),
        ("models.aliases.glm-4.7", "glm-5"),
        ("routing.fallbacks.glm-5", "a, b"),
        ("providers.desk.base_url", "http://127.0.0.1:9801/v1"),
        ("providers.iflow.headers", "minimal"),
        ("upstream.trust_env", "yes"),
    ]:
        assert home.run("set", name, value).code == 0, name

    assert home.config.read_text() == template()
    assert tomllib.loads(home.overrides.read_text()) == {
        "server": {"port": 28001},
        "models": {"aliases": {"glm-4.7": "glm-5"}},
        "routing": {"fallbacks": {"glm-5": ["a", "b"]}},
        "providers": {"desk": {"base_url": "http://127.0.0.1:9801/v1"}, "iflow": {"headers": "minimal"}},
        "upstream": {"trust_env": True},
    }


@pytest.mark.parametrize(
    ("name", "value", "message", "code"),
    [
        ("server.port", "70000", "server.port takes a whole number between 0 and 65535; nothing was changed", 2),
        ("upstream.transport", "plian", 'did you mean "plain"?', 2),
        ("server.prot", "1", "Did you mean server.port?", 1),
        ("server", "1", "server is a table", 1),
        ("providers.../x.base_url", "http://h", "There is no setting", 1),
        ('providers."../x".base_url', "http://h", "is no name for a provider", 2),
        ("models.aliases.x", "", "models.aliases takes a name on both sides", 2),
        ("server.workers", "2", "The gateway would not start with this, so nothing was changed. More than one", 2),
        ("server.host", "0.0.0.0", "without client keys", 2),
        ("routing.default_provider", "desk", "no enabled provider called 'desk'", 2),
        ("providers.desk.kind", "claude", "no provider kind 'claude'", 2),
        ("providers.desk.base_url", "http://u:pw@h", "without user and password", 2),
    ],
)
def test_set_refuses_what_would_not_load_or_start_and_changes_nothing(
    home: Home, name: str, value: str, message: str, code: int
) -> None:
    home.run("set", "server.drain_s", "2")
    before = home.overrides.read_bytes()

    done = home.run("set", name, value)

    assert done.code == code
    assert message in done.err
    assert home.overrides.read_bytes() == before


def test_i43_a_secret_is_read_from_a_pipe_and_refused_on_the_command_line(home: Home) -> None:
    refused = home.run("set", "providers.desk.api_key", KEY)

    assert refused.code == 2
    assert "canary" not in refused.err
    assert not home.overrides.exists()

    home.run("set", "providers.desk.base_url", "http://127.0.0.1:9801/v1")
    taken = home.run("set", "providers.desk.api_key", stdin=f"{KEY}\n")

    assert taken.code == 0
    assert home.run("get", "providers.desk.api_key", "--reveal").out == f"{KEY}\n"
    assert home.overrides.stat().st_mode & 0o777 == 0o600


def test_set_says_when_the_environment_wins_and_when_a_restart_is_due(home: Home) -> None:
    assert "IFLOW2API_SERVER_DRAIN_S in the environment still wins" in (
        home.run("set", "server.drain_s", "1", IFLOW2API_SERVER_DRAIN_S="2").err
    )
    assert "at its next start" in home.run("set", "server.port", "1").err
    assert "at its next start" not in home.run("set", "server.keepalive_s", "1").err


def test_set_as_json_tells_what_was_written(home: Home) -> None:
    assert home.run("set", "server.port", "1", "--json").json == {
        "name": "server.port",
        "written": str(home.overrides),
        "origins": [f"{home.overrides}:2"],
    }


def test_validate_accepts_what_loads(home: Home) -> None:
    assert home.run("validate").code == 0
    assert home.run("validate", "--json").json == {"valid": True, "problems": []}


def test_set_leaves_a_mistake_of_another_source_to_its_source(home: Home) -> None:
    home.folder.mkdir()
    home.config.write_text("[server]\nprot = 1\n")

    assert home.run("set", "server.drain_s", "1").code == 1
    assert not home.overrides.exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[providers.desk]\nkind = "olama"\n', "providers.desk.kind"),
        ('[providers.desk]\nkind = "claude"\n', "providers.desk.kind"),
        ('[providers.desk]\nkind = "openai_compatible"\n', "providers.desk.base_url"),
        ('[providers.iflow]\nca_file = "/nowhere/ca.pem"\n', "providers.iflow.ca_file"),
        ("[server]\nworkers = 2\n", "server.workers"),
        ('[server]\nhost = "0.0.0.0"\n', "auth.client_keys"),
        ('[server]\nhost = "0.0.0.0"\n[auth]\nrequired = "never"\n', "auth.required"),
        ('[routing]\ndefault_provider = "desk"\n', "routing.default_provider"),
    ],
)
def test_validate_refuses_what_serve_refuses(home: Home, text: str, name: str) -> None:
    home.folder.mkdir()
    home.config.write_text(text)

    done = home.run("validate", "--json")

    assert done.code == 1
    assert [problem["name"] for problem in done.json["problems"]] == [name]
    assert done.json["problems"][0]["hint"]
    assert home.run("validate").code == 1


def test_show_says_which_settings_change_nothing_yet(home: Home) -> None:
    assert "Not in effect yet" not in home.run("show").err

    home.config.parent.mkdir()
    home.config.write_text('[providers.iflow]\nkind = "iflow"\n')

    assert "Not in effect yet: providers.iflow.telemetry." in home.run("show").err
    assert "not in effect yet" in template()


def test_validate_reports_every_mistake_at_once(home: Home) -> None:
    home.folder.mkdir()
    home.config.write_text("[server]\nprot = 1\nport = 'x'\n")

    done = home.run("validate")
    listed = home.run("validate", "--json")

    assert (done.code, listed.code) == (1, 1)
    assert f"{home.config}:2: server.prot" in done.err
    assert f"{home.config}:3: server.port" in done.err
    assert listed.json["valid"] is False
    assert [problem["name"] for problem in listed.json["problems"]] == ["server.prot", "server.port"]
    assert set(listed.json["problems"][0]) == {"name", "place", "message", "hint"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"\xff"), "not UTF-8"),
        (lambda path: path.mkdir(), "this is a folder"),
        (lambda path: path.write_text("["), "this is not TOML"),
    ],
    ids=["not UTF-8", "folder", "not TOML"],
)
def test_f53_a_damaged_file_is_told_with_its_name(home: Home, damage: Callable[[Path], object], message: str) -> None:
    home.folder.mkdir()
    damage(home.config)

    done = home.run("validate")

    assert done.code == 1
    assert f"{home.config}" in done.err
    assert message in done.err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told_plainly(home: Home) -> None:
    home.folder.mkdir(mode=0o500)

    done = home.run("set", "server.port", "1")

    assert done.code == 1
    assert "Permission denied" in done.err
