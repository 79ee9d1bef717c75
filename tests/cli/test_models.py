"""`models`: what can be asked for, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import run_cli


def _home(tmp_path: Path) -> dict[str, str]:
    return {"IFLOW2API_HOME": str(tmp_path), "IFLOW_HOME": str(tmp_path / "none"), "HOME": str(tmp_path)}


def test_an_iflow_key_in_the_environment_lists_its_catalogue(tmp_path: Path) -> None:
    got = run_cli("models", "--json", env={**_home(tmp_path), "IFLOW_API_KEY": "sk-0123456789abcdef"})
    assert got.code == 0
    rows = {row["id"]: row for row in got.json["models"]}
    assert rows["glm-5"] == {
        "id": "glm-5",
        "provider": "iflow",
        "context_window": 170000,
        "max_output_tokens": 32000,
        "vision": False,
        "thinking": "switchable",
    }


def test_the_table_shows_numbers_a_person_can_read(tmp_path: Path) -> None:
    got = run_cli("models", env={**_home(tmp_path), "IFLOW_API_KEY": "sk-0123456789abcdef"})
    line = next(line for line in got.out.splitlines() if "glm-5" in line)
    assert "170,000" in line
    assert "switchable" in line


def test_without_any_provider_the_next_step_is_named(tmp_path: Path) -> None:
    got = run_cli("models", env=_home(tmp_path))
    assert got.code == 0
    assert got.out == ""
    assert "serve --demo" in got.err


def test_an_unknown_provider_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.desk]\nbase_url = "http://127.0.0.1:1/v1"\n')
    got = run_cli("models", "--provider", "dekc", env=_home(tmp_path))
    assert got.code == 2
    assert "desk" in got.err


def test_an_upstream_that_cannot_be_asked_is_said_beside_the_rows(tmp_path: Path) -> None:
    text = '[providers.desk]\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["m-1"]\n'
    (tmp_path / "config.toml").write_text(text)
    got = run_cli("models", "--live", "--json", env=_home(tmp_path))
    assert [row["id"] for row in got.json["models"]] == ["m-1"]
    (problem,) = got.json["problems"]
    assert set(problem) == {"provider", "message", "hint"}
    assert problem["provider"] == "desk"
    assert got.err.startswith(f"desk: {problem['message']}")
    assert got.code == 1, "everyone who was asked failed"


def test_problems_are_in_the_json_also_when_there_are_none(tmp_path: Path) -> None:
    got = run_cli("models", "--json", env=_home(tmp_path))
    assert got.json == {"models": [], "problems": [], "profiles": {}}
    assert got.code == 0


def test_a_provider_beside_a_route_is_told_where_it_belongs(tmp_path: Path) -> None:
    got = run_cli("models", "--route", "m", "--provider", "desk", env=_home(tmp_path))
    assert got.code == 2
    assert "PROVIDER/MODEL" in got.err


def test_a_route_is_told_instead_of_the_list(tmp_path: Path) -> None:
    text = '[providers.desk]\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["m-1"]\n'
    (tmp_path / "config.toml").write_text(text)
    got = run_cli("models", "--route", "m-1", env=_home(tmp_path))
    assert got.code == 0
    assert got.out.startswith("1. `m-1` is listed by desk.\n")
