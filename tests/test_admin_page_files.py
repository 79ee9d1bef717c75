"""The files of the admin page as texts: they are whole, safe, and every word of theirs has its Chinese."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.language import page_texts
from iflow_cli_proxy.server.admin import pages

STATIC: Final = Path(pages.__file__).parent / "static"
SCRIPTS: Final = sorted(STATIC.rglob("*.js"))
STYLES: Final = sorted(STATIC.rglob("*.css"))
SHELL: Final = (STATIC / "index.html").read_text()
SAID: Final = re.compile(r"""\b(?:t|later)\(\s*("(?:[^"\\]|\\.)*")""")
RISKY: Final = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|[\"']style[\"']"
)
PLACE: Final = re.compile(r"\{(\w+)\}")


def said() -> set[str]:
    """Every text that the page says through `t()`, `later()` or the attribute `data-t`."""
    texts = {jsonx.decode(one.encode()) for path in SCRIPTS for one in SAID.findall(path.read_text())}
    return texts | set(re.findall(r'data-t="([^"]*)"', SHELL))


def test_every_text_has_its_chinese() -> None:
    assert sorted(said() - set(page_texts("zh"))) == []


def test_no_chinese_is_left_over() -> None:
    assert sorted(set(page_texts("zh")) - said()) == []


def test_both_languages_fill_in_the_same_places() -> None:
    odd = [text for text, chinese in page_texts("zh").items() if set(PLACE.findall(text)) - set(PLACE.findall(chinese))]
    more = [
        text for text, chinese in page_texts("zh").items() if set(PLACE.findall(chinese)) - set(PLACE.findall(text))
    ]
    assert (odd, more) == ([], [])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_texts_are_literals_so_that_none_is_overlooked(path: Path) -> None:
    """`t(word)` is for what `later()` has marked; a text put together on the spot would stay English."""
    source = path.read_text()
    assert re.findall(r"\b(?:t|later)\(\s*[`']", source) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_no_script_turns_texts_into_markup(path: Path) -> None:
    assert RISKY.findall(path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_what_is_imported_is_there_and_exports_it(path: Path) -> None:
    for names, where in re.findall(r'^import (.+?) from "(.+?)";', path.read_text(), re.M | re.S):
        source = (path.parent / where).resolve().read_text()
        for name in re.findall(r"\w+", names.partition("{")[2]):
            assert re.search(rf"export (?:async )?(?:const|let|function\*?) {name}\b", source), f"{name} of {where}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_nothing_is_imported_in_vain(path: Path) -> None:
    source = path.read_text()
    for names, where in re.findall(r'^import (.+?) from "(.+?)";', source, re.M | re.S):
        for name in re.findall(r"\w+", names.partition("{")[2]) or re.findall(r"as (\w+)", names):
            assert len(re.findall(rf"\b{name}\b", source)) > 1, f"{name} of {where}"


def test_nothing_is_exported_in_vain() -> None:
    sources = {path: path.read_text() for path in SCRIPTS}
    for path, source in sources.items():
        for name in re.findall(r"export (?:async )?(?:const|let|function\*?) (\w+)", source):
            users = [other for other, text in sources.items() if other != path and re.search(rf"\b{name}\b", text)]
            assert users, f"{name} of {path.name}"


def test_every_class_of_the_styles_is_given_to_something() -> None:
    given = SHELL + "".join(path.read_text() for path in SCRIPTS)
    styles = "".join(path.read_text() for path in STYLES)
    named = {name for name in re.findall(r"\.([a-z][\w-]*)", styles) if not name.startswith("series-")}
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", given)] == []


def test_the_shell_names_files_that_are_there_and_every_style() -> None:
    named = re.findall(r'(?:href|src)="/admin/static/([^"]+)"', SHELL)
    assert all((STATIC / name).is_file() for name in named)
    assert {path.name for path in STYLES} <= set(named)


def test_the_shell_has_no_script_and_no_style_of_its_own() -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", SHELL) == []


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES, STATIC / "index.html"], ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"https?://[\w.-]+", path.read_text()))
    assert addresses <= {"http://www.w3.org"}, "the name of a namespace is the only one"


def test_secrets_are_not_kept_in_the_browser() -> None:
    kept = {name for path in SCRIPTS for name in re.findall(r'"(iflow2api\.\w+)"', path.read_text())}
    assert kept == {"iflow2api.theme", "iflow2api.language"}
    assert not any("sessionStorage" in path.read_text() or "document.cookie" in path.read_text() for path in SCRIPTS)
