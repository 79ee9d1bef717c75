from __future__ import annotations

import re
from typing import Final

import pytest

from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.handlers.docs import _FOLDER as PAGES
from iflow_cli_proxy.server.handlers.docs import _PAGE
from tests.support.admin import admin_page
from tests.support.shell import shell, shell_state

FILES: Final = sorted(file.name for file in PAGES.iterdir() if file.name != _PAGE)
PATHS: Final = ("/openapi.json", "/docs", *(f"/docs/{name}" for name in FILES))


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_there_and_sealed(path: str) -> None:
    async with shell(shell_state()) as client, client.get(path) as answer:
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
async def test_i46_where_keys_are_required_it_requires_one(path: str) -> None:
    auth = AuthSettings(required="always", client_keys=(Secret("sk-right"),))
    async with shell(shell_state(auth=auth)) as client:
        assert (await client.get(path)).status == 401
        assert (await client.get(path, headers={"x-api-key": "sk-right"})).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_copy_that_is_there_is_not_sent_again(path: str) -> None:
    async with shell(shell_state()) as client:
        tag = (await client.get(path)).headers["ETag"]
        again = await client.get(path, headers={"If-None-Match": tag})
        other = await client.get(path, headers={"If-None-Match": '"other"'})

        assert (again.status, await again.read()) == (304, b"")
        assert other.status == 200


@pytest.mark.parametrize(
    "name", ["docs.js.map", "docs.html", "nothing.css", "..%2Fdocument.py", "%2e%2e%2fdata%2fheaders.json"]
)
async def test_i46_no_other_file_is_given_away(name: str) -> None:
    async with shell(shell_state()) as client, client.get(f"/docs/{name}") as answer:
        assert answer.status in (400, 404)


def test_every_file_of_the_page_is_used() -> None:
    used = re.findall(r'(?:docs|\.)/([a-z]+\.(?:css|js))"', "".join(file.read_text() for file in PAGES.iterdir()))
    assert set(used) == set(FILES)


def test_nothing_of_the_page_comes_from_elsewhere_or_stands_inline() -> None:
    for file in PAGES.iterdir():
        text = file.read_text()
        assert not re.search(r"https?://|//cdn|@import|\burl\(", text), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), file.name
    page = (PAGES / _PAGE).read_text()
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", page)


async def test_i46_under_admin_it_is_for_whoever_is_signed_in() -> None:
    async with admin_page('[auth]\nrequired = "always"\nclient_keys = ["sk-right"]', is_signed_in=False) as browser:
        before = [await browser.get(f"/admin{path}") for path in PATHS]
        await browser.set_up()
        after = [await browser.get(f"/admin{path}") for path in PATHS]

    assert {path: reply.status for path, reply in zip(PATHS, before, strict=True)} == dict.fromkeys(PATHS, 401) | {
        "/docs": 303
    }
    assert before[PATHS.index("/docs")].headers["location"] == "/admin"
    assert {reply.status for reply in after} == {200}


def test_the_admin_page_leads_there() -> None:
    shell_of_page = PAGES.parents[1] / "admin" / "static" / "shell.js"
    assert 'href: "/admin/docs"' in shell_of_page.read_text()
