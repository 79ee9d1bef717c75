from __future__ import annotations

import pytest

from iflow_cli_proxy.providers.qwen.addresses import as_resource_url, base_url_of, is_vendors, normalized


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
        (" https://portal.qwen.ai/ ", "https://portal.qwen.ai/v1"),
        ("https://custom.example.com/v1", "https://custom.example.com/v1"),
        ("dashscope.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("dashscope.aliyuncs.com/compatible-mode/v1//", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("HTTPS://portal.qwen.ai", "HTTPS://portal.qwen.ai/v1"),
        ("http://127.0.0.1:9801", "http://127.0.0.1:9801/v1"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_a_resource_url_becomes_a_base_url(given: str, meant: str) -> None:
    assert normalized(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "portal.qwen.ai",
        "HTTPS://Portal.Qwen.AI/v1",
        "dashscope-intl.aliyuncs.com/x/v1",
        "coding-intl.dashscope.aliyuncs.com/v1",
    ],
)
def test_the_vendors_hosts_are_trusted(given: str) -> None:
    assert base_url_of(given) == normalized(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "evil.example.com",
        "http://portal.qwen.ai",
        "portal.qwen.ai.evil.com",
        "evilqwen.ai",
        "my-bucket.oss-cn-hangzhou.aliyuncs.com",
        "evildashscope.aliyuncs.com",
        "https://portal.qwen.ai@evil.com",
        "https://evil.com/portal.qwen.ai",
        "https://evil.com?x=.qwen.ai",
        "https://evil.com#.qwen.ai",
        "https://evil.com\\.qwen.ai",
        "https://portal.qwen.ai:x/v1",
        "https://portal.qwen.ai:0/v1",
        "https://portal.qwen.ai/v1\nHost: evil.com",
        "ftp://portal.qwen.ai",
        "http://127.0.0.1:9801/v1",
        "https://pоrtal.qwen.ai",  # noqa: RUF001 -- a Cyrillic letter
        "https://",
    ],
)
def test_a_token_goes_to_no_stranger(given: str) -> None:
    assert base_url_of(given) == ""


def test_a_host_of_the_persons_own_configuration_is_trusted_as_it_stands_there() -> None:
    configured = "http://127.0.0.1:9801/v1"
    assert base_url_of("http://127.0.0.1:9801", configured) == "http://127.0.0.1:9801/v1"
    for other in ("http://127.0.0.1:9802", "https://127.0.0.1:9801", "http://127.0.0.2:9801", "evil.com"):
        assert base_url_of(other, configured) == ""
    assert base_url_of("https://relay.example.com/qwen", "https://relay.example.com:443/v1")
    assert base_url_of("portal.qwen.ai", configured) == "https://portal.qwen.ai/v1"


def test_the_vendor_is_recognised_by_its_host() -> None:
    assert is_vendors("https://chat.qwen.ai/api")
    assert is_vendors("http://qwen.ai")
    assert not is_vendors("https://notqwen.ai")
    assert not is_vendors("https://[")
    assert not is_vendors("")


@pytest.mark.parametrize(
    "written", ["portal.qwen.ai", "dashscope.aliyuncs.com/compatible-mode/v1", "http://127.0.0.1:9801"]
)
def test_a_base_url_is_written_as_the_vendors_client_writes_it(written: str) -> None:
    assert as_resource_url(normalized(written)) == written
