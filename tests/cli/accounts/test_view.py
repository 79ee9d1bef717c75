"""How accounts are told to people and to scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.accounts import view as view
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, Tokens
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.accounts import KnownAccount
from tests.support.saved_accounts import full_account, saved_account

NOW = 1_700_000_000.0
PLACE: Any = object()


def _known(place: Place | None = PLACE, is_ours: bool = True, origin: str = "", **changes: Any) -> KnownAccount:
    return KnownAccount(saved=saved_account(**changes), place=place, is_ours=is_ours, origin=origin)


@pytest.mark.parametrize(
    ("changes", "word", "text"),
    [
        ({}, "ok", "ok"),
        ({"state": AccountState.DISABLED, "is_refused": True}, "disabled", "disabled"),
        ({"state": AccountState.NEEDS_LOGIN}, "needs_login", "needs login"),
        ({"is_refused": True}, "refused", "refused"),
        ({"state": AccountState.COOLING, "rests_until": NOW + 125}, "cooling", "rests for 2 min"),
        ({"state": AccountState.COOLING, "rests_until": NOW - 1}, "ok", "ok"),
        (
            {"state": AccountState.COOLING, "rests_until": NOW + 60, "rests_model": "glm-5"},
            "cooling",
            "rests for 1 min (glm-5)",
        ),
        ({"api_key": Secret(), "tokens": None}, "empty", "no credential"),
        ({"tokens": None, "api_key_expires_at": NOW - 1}, "expired", "expired"),
        ({"api_key_expires_at": NOW - 1}, "ok", "ok"),
    ],
)
def test_the_state_is_one_word(changes: dict[str, Any], word: str, text: str) -> None:
    known = _known(**changes)

    assert (view.state_word(known, NOW), view.state_text(known, NOW)) == (word, text)


def test_a_sign_in_that_takes_no_requests_and_a_key_that_needs_no_place_have_words_too() -> None:
    assert view.state_text(replace(_known(), is_used=False), NOW) == "not used"
    assert view.state_word(_known(place=None, is_ours=False, api_key=Secret(), tokens=None), NOW) == "ok"


def test_the_first_end_of_its_credentials_is_shown() -> None:
    tokens = Tokens(access_token=Secret("at"), refresh_token=Secret("rt"), expires_at=NOW + 10_800)

    assert view.expiry_text(saved_account(tokens=tokens), NOW) == "in 3 h"
    assert view.expiry_text(saved_account(tokens=tokens, api_key_expires_at=NOW + 60), NOW) == "in 1 min"
    assert view.expiry_text(saved_account(tokens=tokens), NOW + 10_800) == "expired"
    assert view.expiry_text(saved_account(tokens=None), NOW) == ""


def test_the_past_is_told_as_time_gone_by() -> None:
    assert [view.ago(then, NOW) for then in (None, NOW, NOW - 300)] == ["never", "just now", "5 min ago"]


def test_what_it_holds_is_told() -> None:
    assert view.kind_text(_known(auth_type=AuthType.API_KEY, tokens=None)) == "API key"
    assert view.kind_text(_known()) == "sign-in"
    assert view.kind_text(_known(tokens=Tokens(access_token=Secret("at")))) == "sign-in, no refresh"


def test_what_is_sealed_is_not_taken_for_missing(tmp_path: Path) -> None:
    sealed = replace(_known(place=None, api_key=Secret(), tokens=Tokens(access_token=Secret())), is_sealed=True)
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})

    cells = dict(zip(view.COLUMNS, view.row(sealed, NOW), strict=True))
    shape, lines = view.as_json(sealed, paths, NOW), dict(view.details(sealed, paths, NOW))

    assert (cells["kind"], cells["last used"]) == ("sign-in", "never")
    assert (shape["usable"], shape["can_refresh"]) == (None, None)
    assert lines["usable"] == lines["can refresh"] == "sealed, so not known here"


def test_ours_are_listed_by_provider_and_label_and_the_others_as_they_were_found() -> None:
    ours = [_known(id=f"{one}{two}", provider=one, label=two) for one, two in ("qa", "ib", "ia")]
    others = [_known(id=one, provider=one, label="x", is_ours=False) for one in "zy"]

    assert [one.saved.id for one in view.in_order([*others, *ours])] == ["ia", "ib", "qa", "z", "y"]


# --- shapes -------------------------------------------------------------------------------------------------------


def test_a_row_has_a_cell_for_every_column() -> None:
    cells = dict(zip(view.COLUMNS, view.row(_known(id="aaaa1111-0000", request_count=1234), NOW), strict=True))

    assert (cells["id"], cells["requests"], cells["last used"], cells["from"]) == ("aaaa1111", "1,234", "never", "ours")


def test_the_shape_for_scripts_is_stable_and_hides_secrets(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})
    known = KnownAccount(saved=full_account(), place=PLACE, is_ours=True)

    shape = view.as_json(known, paths, NOW)

    assert list(shape) == [
        "id", "provider", "label", "state", "usable", "auth_type", "api_key", "api_key_expires_at", "access_token",
        "access_token_expires_at", "refresh_token", "expires_at", "can_refresh", "base_url", "user_id", "created_at",
        "updated_at", "refreshed_at", "last_used_at", "request_count", "today", "last_error", "last_error_at",
        "rests_until", "rests_model", "origin", "where", "imported_from",
    ]  # fmt: skip
    assert shape["where"] == str(tmp_path / "accounts" / "one.json")
    assert shape["access_token_expires_at"] == "2023-11-14T23:13:20Z"
    assert "of-one" not in str(shape)
    assert view.as_json(known, paths, NOW, reveal=True)["refresh_token"] == "rt-of-one"


def test_the_place_of_others_is_their_file_or_variable(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})
    live = _known(is_ours=False, origin="/home/me/.qwen/oauth_creds.json")
    key = _known(place=None, is_ours=False, origin="IFLOW_API_KEY")

    assert [view.as_json(one, paths, NOW)["origin"] for one in (live, key)] == ["live", "variable"]
    assert [view.as_json(one, paths, NOW)["where"] for one in (live, key)] == [live.origin, key.origin]
    assert [view.where_text(one) for one in (live, key)] == [live.origin, key.origin]


def test_the_details_for_people_leave_out_what_is_empty_and_explain_instants(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})

    lines = dict(view.details(_known(), paths, NOW))

    assert "user id" not in lines
    assert lines["expires at"] == "2023-11-14T23:13:20Z (in 1 h)"
    assert lines["kind"] == "sign-in"
    assert dict(view.details(_known(), paths, NOW + 9999))["expires at"].endswith("(expired)")
