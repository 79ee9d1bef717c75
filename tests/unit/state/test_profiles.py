"""What probes have found out, kept in files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.state.profiles import (
    forget_profile,
    keep_profile,
    list_profiles,
    load_profiles,
    profile_place,
    read_profile,
)

FOUND = Profile(tools=True, images=False, refused_schema_words=("format",), reasoning_field="reasoning")
MOMENT = 1_780_000_000.0


def test_a_profile_comes_back_with_where_it_comes_from(tmp_path: Path) -> None:
    path = keep_profile(tmp_path / "profiles", "Desk", FOUND, model="m", now=MOMENT)
    kept = read_profile(tmp_path / "profiles", "DESK")

    assert kept is not None
    assert (kept.provider, kept.profile, kept.model) == ("desk", FOUND, "m")
    assert kept.probed_at.startswith("2026-")
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_of_them_are_loaded_by_provider(tmp_path: Path) -> None:
    assert load_profiles(tmp_path / "none") == {}
    keep_profile(tmp_path, "desk", FOUND, model="m", now=MOMENT)
    keep_profile(tmp_path, "other", Profile(), model="m", now=MOMENT)

    assert load_profiles(tmp_path) == {"desk": FOUND, "other": Profile()}
    assert [kept.provider for kept in list_profiles(tmp_path)] == ["desk", "other"]


def test_what_a_later_version_or_a_person_wrote_stays(tmp_path: Path) -> None:
    path = keep_profile(tmp_path, "desk", FOUND, model="m", now=MOMENT)
    tree = jsonx.decode(path.read_bytes())
    tree["note"] = "mine"
    tree["profile"]["smells"] = True
    path.write_bytes(jsonx.encode(tree))

    keep_profile(tmp_path, "desk", Profile(), model="n", now=MOMENT)

    after = jsonx.decode(path.read_bytes())
    assert (after["note"], after["model"]) == ("mine", "n")
    assert after["profile"] == {"smells": True}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 9}', '{"version": 1, "profile": {"tools": "yes"}}', '{"version": 1, "profile": 1}']
)
def test_a_damaged_file_is_left_out_with_a_warning_and_mended_by_a_probe(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep_profile(tmp_path, "good", FOUND, model="m", now=MOMENT)
    (tmp_path / "desk.json").write_text(text)
    (tmp_path / "desk.json").chmod(0o600)

    with caplog.at_level(logging.WARNING):
        assert load_profiles(tmp_path) == {"good": FOUND}

    assert "upstream probe desk" in caplog.text
    with pytest.raises(StateError):
        read_profile(tmp_path, "desk")
    keep_profile(tmp_path, "desk", FOUND, model="m", now=MOMENT)
    assert load_profiles(tmp_path)["desk"] == FOUND


def test_a_profile_can_be_forgotten(tmp_path: Path) -> None:
    keep_profile(tmp_path, "desk", FOUND, model="m", now=MOMENT)

    assert forget_profile(tmp_path, "desk") is True
    assert forget_profile(tmp_path, "desk") is False


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StateError):
        profile_place(tmp_path, name)
