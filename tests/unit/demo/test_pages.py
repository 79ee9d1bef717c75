from __future__ import annotations

from iflow_cli_proxy.demo import pages

EVIL = '"><script>alert(1)</script>'


def test_the_choice_has_a_name_two_buttons_and_brings_its_fields_back() -> None:
    text = str(pages.choice("Sign in", "/oauth", {"state": "s1"}).text)
    for part in ('id="account"', 'value="approve"', 'value="refuse"', "Sign in as demo user", "Refuse"):
        assert part in text
    assert '<input type="hidden" name="state" value="s1">' in text


def test_whatever_comes_from_outside_is_escaped() -> None:
    shown = [
        pages.choice(EVIL, EVIL, {EVIL: EVIL}),
        pages.code(EVIL),
        pages.message(EVIL, EVIL),
        pages.ask_code(EVIL, EVIL),
    ]
    for page in shown:
        assert "<script>" not in str(page.text)
        assert "&lt;script&gt;" in str(page.text)


def test_pages_run_no_scripts_and_tell_nobody_where_they_were() -> None:
    page = pages.message("t", "x", status=404)
    assert page.status == 404
    assert page.content_type == "text/html"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["Referrer-Policy"] == "no-referrer"
