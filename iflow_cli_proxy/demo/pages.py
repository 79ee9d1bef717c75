"""The pages a person sees while signing in at the demo: plain HTML, no scripts, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from aiohttp import web

DEFAULT_ACCOUNT: Final = "demo"

_FRAME: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .4rem .8rem; margin: .3rem .3rem .3rem 0 }}
#code {{ font-size: 1.3em }}
</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_CHOICE: Final = """<p>This is a simulation on your own machine. Any name will do; the same name is the same account.
<code>name+fault</code> signs in and lets something go wrong afterwards, such as <code>ada+overload@2</code>.</p>
<form method="post" action="{action}">
{hidden}
<p><label>Account <input id="account" name="account" value="{account}" autofocus></label></p>
<p><button id="approve" name="decision" value="approve">Sign in as demo user</button>
<button id="refuse" name="decision" value="refuse">Refuse</button></p>
</form>"""


def choice(title: str, action: str, fields: Mapping[str, str]) -> web.Response:
    """Sign in or refuse; `fields` come back with the decision."""
    hidden = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    return page(title, _CHOICE.format(action=escape(action), hidden=hidden, account=DEFAULT_ACCOUNT))


def ask_code(title: str, action: str) -> web.Response:
    """For a person who came without the code in the address."""
    body = f"""<form method="get" action="{escape(action)}"><p><label>Code shown by your program
<input id="user_code" name="user_code" autofocus></label> <button id="next">Next</button></p></form>"""
    return page(title, body)


def code(value: str) -> web.Response:
    return page("Your code", f'<p>Copy it into your program:</p><p><code id="code">{escape(value)}</code></p>')


def message(title: str, text: str, *, status: int = 200) -> web.Response:
    return page(title, f'<p id="message">{escape(text)}</p>', status=status)


def page(title: str, body: str, *, status: int = 200) -> web.Response:
    text = _FRAME.format(title=escape(title), body=body)
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
