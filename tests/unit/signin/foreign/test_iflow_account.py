"""What makes an iFlow account, and what does not."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.signin.foreign.iflow_account import IFlowPieces, base_url, iflow_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Unusable

KEY = Secret("sk-0123456789abcdef")
ACCESS, REFRESH = Secret("at-0123456789abcdef"), Secret("rt-0123456789abcdef")


def test_a_key_with_tokens_is_a_sign_in() -> None:
    account = iflow_account(
        Collector(), IFlowPieces(label="me", api_key=KEY, access_token=ACCESS, refresh_token=REFRESH, expires_at=2e9)
    )

    assert (account.auth_type, account.bearer) == (AuthType.OAUTH, KEY)
    assert account.tokens is not None
    assert account.tokens.expires_at == 2e9


def test_a_key_alone_or_with_tokens_that_cannot_be_refreshed_is_only_a_key() -> None:
    for pieces in (IFlowPieces(label="me", api_key=KEY), IFlowPieces(label="me", api_key=KEY, access_token=ACCESS)):
        account = iflow_account(Collector(), pieces)
        assert (account.auth_type, account.tokens) == (AuthType.API_KEY, None)


def test_tokens_without_a_key_are_kept_as_expired_so_that_the_access_token_never_goes_out_as_a_key() -> None:
    account = iflow_account(
        Collector(), IFlowPieces(label="me", access_token=ACCESS, refresh_token=REFRESH, expires_at=2e9)
    )

    assert account.bearer_expires_at == 0.0
    assert account.can_refresh


@pytest.mark.parametrize("pieces", [IFlowPieces(label="me"), IFlowPieces(label="me", access_token=ACCESS)])
def test_what_opens_nothing_is_unusable(pieces: IFlowPieces) -> None:
    with pytest.raises(Unusable):
        iflow_account(Collector(), pieces)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://apis.iflow.cn/v1", ""),
        ("https://apis.iflow.cn/v1/", ""),
        ("https://api.iflow.cn/v1", ""),
        ("https://api.xinliu.ai/v1", "https://api.xinliu.ai/v1"),
        ("ftp://x", ""),
    ],
)
def test_only_an_address_that_is_not_iflows_own_is_kept(text: str, url: str) -> None:
    assert base_url(text) == url


def test_an_address_that_cannot_be_used_is_told_and_left_out() -> None:
    found = Collector()

    assert iflow_account(found, IFlowPieces(label="me", api_key=KEY, base_url="apis iflow")).base_url == ""
    assert found.notes == ["me names an address that cannot be used; iFlow's own is used"]
    assert not iflow_account(
        Collector(), IFlowPieces(label="me", api_key=KEY, base_url="https://api.iflow.cn/v1")
    ).base_url
