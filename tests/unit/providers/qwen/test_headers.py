from __future__ import annotations

import pytest

from iflow_cli_proxy.providers.qwen.headers import credentials, fixed_headers, user_agent, with_one_agent


@pytest.mark.parametrize(
    ("platform", "machine", "agent", "os", "arch"),
    [
        ("linux", "x86_64", "QwenCode/0.14.3 (linux; x64)", "Linux", "x64"),
        ("darwin", "arm64", "QwenCode/0.14.3 (darwin; arm64)", "MacOS", "arm64"),
        ("win32", "AMD64", "QwenCode/0.14.3 (win32; x64)", "Windows", "x64"),
        ("linux", "aarch64", "QwenCode/0.14.3 (linux; arm64)", "Linux", "arm64"),
        ("freebsd14", "", "QwenCode/0.14.3 (linux; x64)", "Linux", "x64"),
    ],
)
def test_every_header_speaks_of_the_same_machine(platform: str, machine: str, agent: str, os: str, arch: str) -> None:
    headers = fixed_headers(platform, machine)
    assert headers["User-Agent"] == headers["X-DashScope-UserAgent"] == agent
    assert (headers["X-Stainless-OS"], headers["X-Stainless-Arch"]) == (os, arch)


def test_the_set_is_that_of_the_vendors_client_less_what_cannot_be_decoded() -> None:
    headers = fixed_headers("linux", "x86_64")
    assert headers["X-DashScope-CacheControl"] == "enable"
    assert headers["X-Stainless-Retry-Count"] == "0"
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert "Connection" not in headers


def test_the_version_is_part_of_the_agent() -> None:
    assert user_agent("linux", "x64", "0.15.6") == "QwenCode/0.15.6 (linux; x64)"


def test_a_sign_in_and_a_key_say_which_they_are() -> None:
    assert credentials("at", is_oauth=True) == {"Authorization": "Bearer at", "X-DashScope-AuthType": "qwen-oauth"}
    assert credentials("sk", is_oauth=False) == {"Authorization": "Bearer sk", "X-DashScope-AuthType": "openai"}
    assert credentials("", is_oauth=True) == {}


def test_an_agent_of_the_persons_own_is_said_in_both_places() -> None:
    assert with_one_agent({"user-agent": "mine"}) == {"user-agent": "mine", "X-DashScope-UserAgent": "mine"}
    both = {"User-Agent": "mine", "x-dashscope-useragent": "other"}
    assert with_one_agent(both) == both
    assert with_one_agent({"x-team": "docs"}) == {"x-team": "docs"}
