from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.server.admin.pages import page_files


def test_the_list_holds_what_a_page_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    for name in ("index.html", "app.js", "views/keys.js", "app.js.map", "notes.md", ".secret.js", ".git/x.js", "a.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)

    found = page_files(tmp_path)

    assert set(found) == {"index.html", "app.js", "views/keys.js"}
    assert found["app.js"].kind == "text/javascript; charset=utf-8"
    assert found["app.js"].tag != found["views/keys.js"].tag


def test_the_package_has_a_page() -> None:
    assert page_files()["index.html"].body.lower().startswith(b"<!doctype html>")
