import pytest

from iflow_cli_proxy.core.secret import Secret, hide, mask, mask_url


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", ""),
        ("short", "…"),
        ("sk-0123456789abcdef", "sk-…cdef"),
        ("0123456789abcdef", "…cdef"),
        ("verylongprefix-0123456789abcdef", "…cdef"),
    ],
)
def test_a_mask_shows_a_short_prefix_and_the_last_four_of_long_secrets_only(secret: str, shown: str) -> None:
    assert mask(secret) == shown


def test_a_known_secret_is_hidden_whatever_it_looks_like() -> None:
    assert hide("your canary-word is wrong, canary-word", "canary-word") == "your [secret] is wrong, [secret]"
    assert hide("a b c", "b") == "a b c"
    assert hide("a b c", "") == "a b c"


@pytest.mark.parametrize("form", [str, repr, lambda secret: f"{secret}", lambda secret: "%s" % [secret]])
def test_no_way_of_printing_shows_the_secret(form: object) -> None:
    assert callable(form)
    assert "0123456789" not in form(Secret("sk-0123456789abcdef"))


def test_reveal_gives_the_secret_back_and_equality_goes_by_it() -> None:
    secret = Secret("sk-0123456789abcdef")

    assert secret.reveal() == "sk-0123456789abcdef"
    assert secret == Secret("sk-0123456789abcdef")
    assert secret != Secret("sk-other")
    assert secret != "sk-0123456789abcdef"
    assert len({secret, Secret("sk-0123456789abcdef")}) == 1


def test_only_an_empty_secret_is_false() -> None:
    assert not Secret()
    assert Secret("x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:9801/v1", "http://127.0.0.1:9801/v1"),
        ("socks5://me:word@proxy:1080", "socks5://…@proxy:1080"),
        ("http://me:w@rd@proxy/a@b", "http://…@proxy/a@b"),
        ("nonsense@", "nonsense@"),
        ("", ""),
    ],
)
def test_a_masked_url_keeps_all_but_name_and_password(url: str, shown: str) -> None:
    assert mask_url(url) == shown
