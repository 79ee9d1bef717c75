"""The pages a browser sees at the end of a sign-in, as bytes with their headers.

Knows how they look and how they are sealed: no script, nothing from elsewhere, no style but the one whose hash the
policy names, never cached, never named as a referrer. Refuses to trust a word it is given: everything is escaped.
"""

# ruff: noqa: RUF001 -- Chinese has a comma of its own

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--ink:#1c2024;--soft:#5f6772;--line:#e2e5e9;--good:#1a7f4b;
--bad:#b3372f;--wait:#8a6100;--code:#eef0f3}
@media(prefers-color-scheme:dark){:root{--back:#111417;--card:#1a1e23;--ink:#e8eaed;--soft:#9aa3ad;--line:#2b3138;
--good:#4cc38a;--bad:#f2827a;--wait:#e0b44c;--code:#252a31}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:16px;
background:var(--back);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"PingFang SC","Microsoft YaHei",sans-serif}
main{width:100%;max-width:460px;padding:32px 28px;background:var(--card);border:1px solid var(--line);
border-radius:14px;box-shadow:0 8px 30px rgba(0,0,0,.06);overflow-wrap:anywhere;text-wrap:pretty}
svg{display:block;width:44px;height:44px;margin:0 0 16px}
svg circle{fill:none;stroke:currentColor;stroke-width:3}
svg path{fill:none;stroke:currentColor;stroke-width:4;stroke-linecap:round;stroke-linejoin:round}
.good svg{color:var(--good)}.bad svg{color:var(--bad)}.wait svg{color:var(--wait)}
h1{margin:0 0 8px;font-size:1.4rem;line-height:1.3}
p{margin:0 0 12px}
code{display:block;padding:10px 12px;background:var(--code);border-radius:8px;
font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;user-select:all}
.soft{color:var(--soft);font-size:.9rem}
footer{margin-top:20px;padding-top:14px;border-top:1px solid var(--line)}
footer p{margin:0}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer to the browser, redirects included."""

_MARKS: Final = {
    "good": '<path d="M14 25l7 7 13-15"/>',
    "bad": '<path d="M17 17l14 14M31 17L17 31"/>',
    "wait": '<path d="M24 14v12l7 5"/>',
}
_CLOSE: Final = "You can close this window."


@dataclass(frozen=True, kw_only=True)
class Words:
    """What depends on where the sign-in was begun: in a terminal, or on the admin page."""

    goes_on: str
    again: str
    goes_on_chinese: str
    again_chinese: str
    names_command: bool


TERMINAL: Final = Words(
    goes_on="Everything else happens in the terminal.",
    again="To try again, type in the terminal:",
    goes_on_chinese="登录成功，可以关闭此窗口，回到终端继续。",
    again_chinese="登录未成功，请回到终端重试。",
    names_command=True,
)
ADMIN_PAGE: Final = Words(
    goes_on="Everything else happens on the admin page.",
    again="To try again, go back to the admin page.",
    goes_on_chinese="登录成功，可以关闭此窗口，回到管理页面继续。",
    again_chinese="登录未成功，请回到管理页面重试。",
    names_command=False,
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page; `status` is its HTTP status."""

    status: int
    html: bytes


def signed_in(message: str, words: Words = TERMINAL) -> Page:
    """`message` says who signed in where; may be empty."""
    return _page(
        200,
        "good",
        "Signed in",
        message,
        f"{_CLOSE} {words.goes_on}",
        chinese=words.goes_on_chinese,
    )


def failed(message: str, command: str, words: Words = TERMINAL) -> Page:
    """`message` says what happened, `command` what to type next."""
    return _page(
        200,
        "bad",
        "The sign-in did not work",
        message,
        words.again,
        command=command if words.names_command else "",
        chinese=words.again_chinese,
    )


def in_progress() -> Page:
    """For a browser that has waited long enough."""
    return _page(
        200,
        "wait",
        "Almost done",
        f"The sign-in is being completed; the terminal says how it goes. {_CLOSE}",
        chinese="登录正在完成，请查看终端。",
    )


def used_already() -> Page:
    return _page(
        400,
        "wait",
        "This answer has been used",
        f"It counts only once, and the sign-in is done with it. {_CLOSE}",
        chinese="此登录链接已使用过，可以关闭此窗口。",
    )


def foreign(command: str) -> Page:
    """For an answer whose state is not the one that is waited for."""
    return _page(
        400,
        "bad",
        "Not the sign-in that is waiting",
        "This page belongs to another or an older sign-in, so nothing was done with it.",
        "Use the page that the terminal has opened, or start again:",
        command=command,
        chinese="此页面不属于当前登录，请使用终端打开的页面。",
    )


def without_code(command: str) -> Page:
    return _page(
        400,
        "bad",
        "There is no code here",
        "The address of this page holds no code that can be seen from here.",
        "If the address bar shows code= after a # sign, copy the whole address, paste it into the terminal that waits "
        "for you, and press Enter. If none is waiting, start again:",
        command=command,
        chinese="此地址中没有授权码，请将完整地址粘贴到终端，或重新登录。",
    )


def malformed(message: str, command: str) -> Page:
    return _page(
        400,
        "bad",
        "This cannot be an answer",
        message,
        "To start again, type in the terminal:",
        command=command,
        chinese="无法识别的回调，请重新登录。",
    )


def not_served(status: int) -> Page:
    """For everything that is not the one address, and whoever should not be here."""
    return _page(
        status,
        "bad",
        "Nothing to see here",
        "Only the answer to a sign-in is taken at this address.",
        chinese="此处仅接受登录回调。",
    )


def _page(status: int, mood: str, title: str, *words: str, chinese: str, command: str = "") -> Page:
    paragraphs = "".join(f"<p>{html.escape(each)}</p>" for each in words if each)
    typed = f"<code>{html.escape(command)}</code>" if command else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{html.escape(title)} - iflow2api</title><style>{_STYLE}</style></head>"
        f'<body><main class="{mood}"><svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="21"/>'
        f"{_MARKS[mood]}</svg><h1>{html.escape(title)}</h1>{paragraphs}{typed}"
        f'<footer class="soft"><p lang="zh-Hans">{chinese}</p></footer></main></body></html>\n'
    )
    return Page(status=status, html=text.encode())
