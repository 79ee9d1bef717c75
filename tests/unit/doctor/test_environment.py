from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.config.schema import Settings, UpstreamSettings
from iflow_cli_proxy.doctor.environment import covers_loopback, examine, judge_proxies
from iflow_cli_proxy.doctor.finding import Status
from tests.support.machines import machine


def test_nothing_special_says_nothing(tmp_path: Path) -> None:
    assert list(examine(machine(tmp_path), Settings())) == []


def test_a_proxy_that_nobody_obeys_is_told_without_its_value(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "http://me:secret-word@proxy:3128"}
    proxy, no_proxy = examine(machine(tmp_path, environ), Settings())

    assert (proxy.status, proxy.subject) == (Status.NOTE, "HTTPS_PROXY")
    assert "upstream.trust_env is false" in proxy.text
    assert (no_proxy.status, no_proxy.subject) == (Status.WARNING, "NO_PROXY")
    assert "secret-word" not in f"{proxy}{no_proxy}"


@pytest.mark.parametrize(
    ("upstream", "words"),
    [
        (UpstreamSettings(trust_env=True), "called through it"),
        (UpstreamSettings(proxy="http://other:1"), "upstream.proxy is used instead"),
    ],
)
def test_a_proxy_that_is_obeyed_or_replaced_is_fine(upstream: UpstreamSettings, words: str) -> None:
    found = judge_proxies(["ALL_PROXY"], upstream)

    assert found.status is Status.OK
    assert words in found.text


@pytest.mark.parametrize(
    ("environ", "is_covered"),
    [
        ({}, False),
        ({"NO_PROXY": "example.com"}, False),
        ({"NO_PROXY": "127.0.0.1,localhost"}, True),
        ({"no_proxy": "*"}, True),
    ],
)
def test_loopback_is_spared_only_when_it_is_named(environ: dict[str, str], is_covered: bool) -> None:
    assert covers_loopback(environ) is is_covered


def test_a_proxy_of_the_settings_is_mentioned(tmp_path: Path) -> None:
    (found,) = examine(machine(tmp_path), Settings(upstream=UpstreamSettings(proxy="http://proxy:1")))

    assert (found.status, found.subject) == (Status.OK, "upstream.proxy")


def test_a_terminal_without_utf_8_is_told(tmp_path: Path) -> None:
    (found,) = examine(machine(tmp_path, encoding="ANSI_X3.4-1968"), Settings())

    assert found.status is Status.NOTE
    assert "not UTF-8" in found.text
