from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from iflow_cli_proxy.signin import pages
from iflow_cli_proxy.signin.pages import HEADERS, Page

LOGIN = "iflow2api login iflow"
EVERY = {
    "signed_in": pages.signed_in("me@example.com"),
    "failed": pages.failed("It broke.", LOGIN),
    "in_progress": pages.in_progress(),
    "used_already": pages.used_already(),
    "foreign": pages.foreign(LOGIN),
    "without_code": pages.without_code(LOGIN),
    "malformed": pages.malformed("Odd.", LOGIN),
    "not_served": pages.not_served(404),
}
EVERY_PAGE = pytest.mark.parametrize("page", EVERY.values(), ids=EVERY.keys())


class Read(HTMLParser):
    """The tags with their attributes, and the words outside of the style."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page.html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += "" if self._open[-1:] == ["style"] else f"{data} "

    @property
    def is_well_formed(self) -> bool:
        return not self._open


@EVERY_PAGE
def test_a_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    read = Read(page)
    assert read.is_well_formed
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "iframe", "form", "object", "base", "a"}
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on") or name == "style"]
    assert b"://" not in page.html
    assert b"url(" not in page.html


@EVERY_PAGE
def test_the_only_style_is_the_one_whose_hash_the_policy_names(page: Page) -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page.html.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = HEADERS["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_no_page_is_kept_framed_or_named_to_others() -> None:
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


@EVERY_PAGE
def test_a_page_is_in_english_with_a_line_in_chinese_and_fits_a_phone(page: Page) -> None:
    read = Read(page)
    assert ("html", {"lang": "en"}) in read.tags
    assert ("p", {"lang": "zh-Hans"}) in read.tags
    assert re.search(r"[\u4e00-\u9fff]{4}", read.words)
    assert any(attributes.get("name") == "viewport" for _, attributes in read.tags)
    assert b"prefers-color-scheme:dark" in page.html


def test_i50_words_from_outside_are_escaped() -> None:
    page = pages.failed("<script>alert(1)</script>\"'&", "<b>")
    assert b"<script" not in page.html
    assert b"<b>" not in page.html
    assert "<script>alert(1)</script>" in Read(page).words


def test_a_failure_shows_what_to_type_and_a_success_that_it_is_over() -> None:
    assert LOGIN in Read(EVERY["failed"]).words
    assert "You can close this window" in Read(EVERY["signed_in"]).words
    assert "me@example.com" in Read(EVERY["signed_in"]).words


def test_what_was_refused_has_the_status_of_a_refusal() -> None:
    assert [EVERY[name].status for name in ("foreign", "without_code", "malformed", "used_already")] == [400] * 4
    assert EVERY["not_served"].status == 404
