from pathlib import Path

from iflow_cli_proxy.state.paths import find_paths


def test_home_puts_everything_under_one_folder(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})

    assert paths.config_file == tmp_path / "config.toml"
    assert paths.overrides_file == tmp_path / "overrides.toml"
    assert paths.accounts_dir == tmp_path / "accounts"
    assert paths.keys_file == tmp_path / "keys.toml"
    assert paths.profiles_dir == tmp_path / "profiles"
    assert paths.agents_dir == tmp_path / "agents"
    assert paths.ledger_file == tmp_path / "usage.sqlite3"
    assert {paths.logs_dir.parent, paths.cache_dir.parent, paths.models_dir.parent} == {tmp_path}


def test_home_may_be_relative_or_begin_with_a_tilde() -> None:
    assert find_paths({"IFLOW2API_HOME": "here"}).config_file == Path.cwd() / "here" / "config.toml"
    assert find_paths({"IFLOW2API_HOME": "~/here"}).config_file == Path.home() / "here" / "config.toml"


def test_a_config_file_named_by_hand_changes_only_itself(tmp_path: Path) -> None:
    usual = find_paths({"IFLOW2API_HOME": str(tmp_path)})
    named = find_paths({"IFLOW2API_HOME": str(tmp_path)}, config_file=Path("other.toml"))

    assert named.config_file == Path.cwd() / "other.toml"
    assert named.overrides_file == usual.overrides_file


def test_without_home_the_platform_decides_and_the_folders_carry_our_name() -> None:
    paths = find_paths({})

    assert paths.config_file.parent.name == "iflow2api"
    assert paths.accounts_dir.is_absolute()
