import os
from pathlib import Path

import pytest

from iflow_cli_proxy.config.load import ConfigText, load, load_files, read_text, read_toml, with_upstream
from iflow_cli_proxy.config.origin import InvalidConfig
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret


def complaint(text: str) -> str:
    with pytest.raises(InvalidConfig) as caught:
        load(config=ConfigText("config.toml", text))
    return caught.value.message


def test_overrides_win_over_the_config_file_and_both_are_named_with_their_line() -> None:
    settings, origins = load(
        config=ConfigText("config.toml", "[server]\nport = 1\nworkers = 2\n"),
        overrides=ConfigText("overrides.toml", "[server]\n\nport = 3\n"),
    )

    assert (settings.server.port, settings.server.workers) == (3, 2)
    assert str(origins.of(("server", "port"))) == "overrides.toml:3"
    assert str(origins.of(("server", "workers"))) == "config.toml:3"


def test_a_mistake_names_file_and_line() -> None:
    assert complaint("[server]\n\nprot = 1\n") == (
        "config.toml:3: server.prot is not a setting; did you mean server.port?"
    )


def test_a_mistake_in_the_middle_of_a_long_value_is_on_the_line_where_it_begins() -> None:
    assert complaint('[resilience]\nretry_status_codes = [\n 429,\n "x",\n]\n').startswith("config.toml:2: ")


@pytest.mark.parametrize(
    ("text", "start", "rest"),
    [
        ("[server]\nport 1\n", "config.toml:2:6: this is not TOML", "Expected '='"),
        (
            "[server]\nhost = localhost\n",
            "config.toml:2:8: this is not TOML",
            'put text in quotes, as in host = "127.0.0.1"',
        ),
        ("port = 1\nport = 2\n", "config.toml:2:9: this is not TOML", "overwrite"),
        ('x = "unfinished', "config.toml: this is not TOML", "end of document"),
        ("x = " + "9" * 5000, "config.toml: a number too long", ""),
        ("x = " + "[" * 100_000, "config.toml: ", "brackets too deep"),
    ],
    ids=["no equals sign", "no quotes", "twice", "cut", "long number", "deep"],
)
def test_what_is_not_toml_is_told_with_its_position(text: str, start: str, rest: str) -> None:
    message = complaint(text)

    assert message.startswith(start)
    assert rest in message


def test_a_file_that_cannot_be_parsed_does_not_hide_mistakes_elsewhere() -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(config=ConfigText("config.toml", "["), environ={"IFLOW2API_SERVER_PORT": "x"})

    assert len(caught.value.problems) == 2


def test_a_missing_file_is_fine_unless_the_person_named_it(tmp_path: Path) -> None:
    missing = tmp_path / "config.toml"

    assert load_files(missing, tmp_path / "overrides.toml", environ={})[0] == Settings()
    with pytest.raises(InvalidConfig, match="there is no such file"):
        load_files(missing, tmp_path / "overrides.toml", environ={}, is_config_required=True)


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 5\r\n")

    assert load_files(tmp_path / "config.toml", tmp_path / "none", environ={})[0].server.port == 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[server]\nhost = '\xff'\n", "config.toml:2:9: this is not UTF-8"),
        ("[server]\n".encode("utf-16"), "config.toml: this is UTF-16; save it as UTF-8"),
        (b"#" * (1 << 20) + b"#", "config.toml: larger than 1 MiB"),
    ],
    ids=["latin-1", "utf-16", "huge"],
)
def test_what_is_no_text_is_told_with_its_position(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "config.toml").write_bytes(data)

    with pytest.raises(InvalidConfig) as caught:
        read_text(tmp_path / "config.toml")

    assert message in caught.value.message


def test_a_folder_in_place_of_the_file_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="this is a folder"):
        read_text(tmp_path)


def test_an_unreadable_file_is_named_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "config.toml"
    loop.symlink_to(loop)

    with pytest.raises(InvalidConfig, match=r"config\.toml: cannot be read: "):
        read_text(loop)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    path.chmod(0)

    with pytest.raises(InvalidConfig, match="Permission denied"):
        read_text(path)


def test_an_upstream_of_the_command_line_becomes_the_default_provider() -> None:
    base, _ = load(environ={"IFLOW2API_UPSTREAM_IDLE_TIMEOUT_S": "7"})

    settings = with_upstream(base, "http://127.0.0.1:9801/v1", "sk-1")

    provider = settings.providers["upstream"]
    assert settings.routing.default_provider == "upstream"
    assert (provider.kind, provider.base_url, provider.api_key) == (
        "openai_compatible",
        "http://127.0.0.1:9801/v1",
        Secret("sk-1"),
    )
    assert provider.idle_timeout_s == 7
    assert base.providers == {}


def test_an_upstream_of_the_command_line_keeps_what_its_table_says() -> None:
    base, _ = load(config=ConfigText("c", '[providers.upstream]\nenabled = false\nmodels = ["m"]\napi_key = "k"\n'))

    provider = with_upstream(base, "http://h/v1").providers["upstream"]

    assert provider.enabled
    assert provider.models == ("m",)
    assert provider.api_key == Secret("k")


@pytest.mark.parametrize("url", ["", "127.0.0.1:9801", "ftp://x"])
def test_an_upstream_that_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_upstream(Settings(), url)

    assert caught.value.param == "--upstream"
    assert "http://127.0.0.1:9801/v1" in caught.value.hint


def test_an_upstream_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as caught:
        with_upstream(Settings(), "http://u:secretpw@host/v1", "sk-1")

    assert caught.value.param == "--upstream"
    assert "--ask-key" in caught.value.hint
    assert "secretpw" not in f"{caught.value.message} {caught.value.hint} {caught.value.detail}"


def test_a_toml_file_beside_the_configuration_is_read_or_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("a = 1\n")
    bad.write_text("a = \n")

    assert read_toml(good) == "a = 1\n"
    with pytest.raises(InvalidConfig, match=r"bad\.toml:1"):
        read_toml(bad)
    with pytest.raises(InvalidConfig, match="no such file"):
        read_toml(tmp_path / "none.toml")
