from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.doctor.config import examine
from iflow_cli_proxy.doctor.finding import Status
from tests.support.machines import machine, write


def test_no_file_at_all_is_fine(tmp_path: Path) -> None:
    settings, (found,) = examine(machine(tmp_path))

    assert settings == Settings()
    assert (found.status, found.text) == (Status.OK, "valid and safe (no file, all defaults)")


def test_every_mistake_is_told_with_its_line_and_the_rest_goes_by_the_defaults(tmp_path: Path) -> None:
    here = machine(tmp_path)
    write(here.paths.config_file, "[server]\nport = 70000\nhots = 'x'\n")

    settings, (first, second, rest) = examine(here)

    assert settings == Settings()
    assert {first.status, second.status} == {Status.FAILURE}
    assert {first.subject, second.subject} == {f"{here.paths.config_file}:2", f"{here.paths.config_file}:3"}
    assert "did you mean" in first.action + second.action
    assert rest.status is Status.NOTE


def test_unsafe_settings_are_a_failure_with_the_way_out(tmp_path: Path) -> None:
    here = machine(tmp_path, {"IFLOW2API_SERVER_HOST": "0.0.0.0"})

    settings, (found,) = examine(here)

    assert settings.server.host == "0.0.0.0"
    assert (found.status, found.subject) == (Status.FAILURE, "auth.client_keys")
    assert "IFLOW2API_CLIENT_KEY" in found.action


def test_a_variable_that_stands_for_nothing_is_noted_without_its_value(tmp_path: Path) -> None:
    here = machine(tmp_path, {"IFLOW2API_ZEBRA": "stripes", "IFLOW2API_PASSPHRASE": "x"})

    _, (fine, found) = examine(here)

    assert fine.status is Status.OK
    assert (found.status, found.subject) == (Status.NOTE, "IFLOW2API_ZEBRA")
    assert "stripes" not in str(found)


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    _, findings = examine(machine(tmp_path, is_config_named=True))

    assert findings[0].status is Status.FAILURE
    assert "no such file" in findings[0].text
