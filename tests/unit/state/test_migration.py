import pytest

from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.state.migration import STEPS, VERSION, NewerVersion, upgraded, version_of

EARLY = {
    "id": "one",
    "provider": "qwen",
    "name": "me",
    "type": "oauth",
    "access_token": "at",
    "refresh_token": "rt",
    "expires_at": 1_772_445_600_250,
    "created_at": 1_772_445_600,
    "rests_until": 0,
    "note": "mine",
}


def test_an_early_file_gets_full_names_a_table_of_tokens_and_readable_moments() -> None:
    assert upgraded(EARLY) == {
        "version": 1,
        "id": "one",
        "provider": "qwen",
        "label": "me",
        "auth_type": "oauth",
        "tokens": {"access_token": "at", "refresh_token": "rt", "expires_at": "2026-03-02T10:00:00.250000Z"},
        "created_at": "2026-03-02T10:00:00Z",
        "rests_until": None,
        "note": "mine",
    }


def test_a_file_of_today_without_its_version_comes_through_unchanged() -> None:
    today = {"id": "one", "label": "me", "auth_type": "api_key", "tokens": None, "created_at": "2026-03-02T10:00:00Z"}

    assert upgraded(today) == {**today, "version": 1}


def test_a_name_of_today_wins_over_its_early_one() -> None:
    assert upgraded({"label": "new", "name": "old"})["label"] == "new"


@pytest.mark.parametrize("value", [10**400, 1e300, -1, True, "soon", None, [1]])
def test_nonsense_is_left_for_the_check_of_types_and_never_raises(value: object) -> None:
    upgraded({"tokens": {"expires_at": value}, "created_at": value, "type": value, "name": value})


def test_the_versions_are_numbered_by_their_steps() -> None:
    assert len(STEPS) == VERSION
    assert version_of({}) == 0
    assert version_of({"version": 7}) == 7


def test_every_step_between_runs_once_and_in_order() -> None:
    steps = tuple(lambda old, n=n: {**old, "seen": [*old.get("seen", []), n]} for n in range(4))

    assert upgraded({"version": 1}, steps) == {"version": 4, "seen": [1, 2, 3]}
    assert upgraded({"version": 4}, steps) == {"version": 4}


def test_a_newer_file_is_not_for_us() -> None:
    with pytest.raises(NewerVersion):
        upgraded({"version": VERSION + 1})


@pytest.mark.parametrize("version", [-1, 1.0, "1", True, None])
def test_a_version_that_is_no_number_is_an_error_with_its_path(version: object) -> None:
    with pytest.raises(JsonError) as caught:
        upgraded({"version": version})
    assert caught.value.path == "version"
