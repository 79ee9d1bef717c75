"""Where other programs keep their sign-ins."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.signin.foreign.places import KnownPlace, known_places

HOME, HERE = Path("/home/me"), Path("/work")


def _by_kind(**environ: str) -> dict[str, KnownPlace]:
    return {place.kind.name: place for place in known_places(environ, HOME, HERE)}


def test_the_usual_places_are_in_the_home_folder() -> None:
    folders = {name: place.folder for name, place in _by_kind().items()}

    assert folders == {
        "iflow-cli": HOME / ".iflow",
        "qwen-code": HOME / ".qwen",
        "iflow2api": HOME / ".iflow2api",
        "iflow2api-keys": HOME / ".iflow2api",
        "cliproxyapi": HOME / ".cli-proxy-api",
        "iflow-go": HERE / "data" / "accounts",
    }


def test_variables_of_the_programs_move_their_places() -> None:
    places = _by_kind(IFLOW_HOME="/elsewhere", IFLOW2API_KEYS_PATH="/pools/mine.json", QWEN_CODE_AUTH_USE="false")

    assert places["iflow-cli"].folder == Path("/elsewhere")
    assert (places["iflow2api-keys"].folder, places["iflow2api-keys"].names) == (Path("/pools"), ("mine.json",))
    assert places["qwen-code"].names == ("oauth_creds_*.json",)


def test_the_current_folder_is_not_searched_unasked_for_others_may_fill_it() -> None:
    assert [name for name, place in _by_kind().items() if not place.is_searched] == ["iflow-go"]
