"""The way of signing in, for every machine and every provider there can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

import pytest

from iflow_cli_proxy.cli.signing.method import Machine, choose, flag
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.signin import Method, OAuthClient, SignIn

PLATFORMS = ("linux", "darwin", "win32", "freebsd14")
VARIABLES = {
    "DISPLAY": ":0",
    "WAYLAND_DISPLAY": "wayland-0",
    "BROWSER": "firefox",
    "SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22",
    "SSH_TTY": "/dev/pts/0",
}


def provider(*, code: bool = False, device: bool = False, key: bool = False) -> SignIn:
    client = OAuthClient(
        token_url="https://id/token",
        client_id="c",
        authorize_url="https://id/authorize" if code else "",
        device_url="https://id/device" if device else "",
    )
    return SignIn(provider="desk", client=client if code or device else None, takes_api_key=key)


PROVIDERS = [provider(code=c, device=d, key=k) for c, d, k in product((False, True), repeat=3) if c or d or k]


def environments() -> Iterator[Mapping[str, str]]:
    for count in range(len(VARIABLES) + 1):
        for names in combinations(VARIABLES, count):
            yield {name: VARIABLES[name] for name in names}


MACHINES = [
    Machine(platform=platform, environ=environ, is_container=container, is_wsl=wsl, can_ask=asks)
    for platform, environ, container, wsl, asks in product(PLATFORMS, environments(), *[(False, True)] * 3)
]


def expected_display(machine: Machine) -> bool:
    has = machine.environ.keys()
    if {"SSH_CONNECTION", "SSH_TTY"} & has:
        return False
    if machine.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & has:
        return True
    return not machine.is_container and (machine.is_wsl or "BROWSER" in has)


def expected(sign_in: SignIn, machine: Machine) -> Method:
    offers = set(sign_in.methods)
    if machine.can_ask and expected_display(machine) and Method.BROWSER in offers:
        return Method.BROWSER
    if Method.DEVICE in offers:
        return Method.DEVICE
    if machine.can_ask and Method.PASTE in offers:
        return Method.PASTE
    if Method.API_KEY in offers:
        return Method.API_KEY
    return Method.BROWSER if expected_display(machine) else Method.PASTE


@pytest.mark.parametrize("sign_in", PROVIDERS, ids=lambda each: "+".join(each.methods))
def test_every_machine_gets_the_most_comfortable_way_that_works_there(sign_in: SignIn) -> None:
    for machine in MACHINES:
        assert machine.shows_browsers is expected_display(machine), machine
        assert choose(sign_in, machine) is expected(sign_in, machine), machine


@pytest.mark.parametrize("sign_in", PROVIDERS, ids=lambda each: "+".join(each.methods))
@pytest.mark.parametrize("forced", Method)
def test_a_forced_way_is_taken_on_every_machine_or_refused_with_those_there_are(
    sign_in: SignIn, forced: Method
) -> None:
    for machine in MACHINES[::97]:
        if forced in sign_in.methods:
            assert choose(sign_in, machine, forced) is forced
            continue
        with pytest.raises(ConfigError) as raised:
            choose(sign_in, machine, forced)
        assert raised.value.param == flag(forced)
        assert all(flag(method) in raised.value.hint for method in sign_in.methods)


@pytest.mark.parametrize("forced", [None, Method.DEVICE])
def test_a_provider_without_any_way_in_says_so(forced: Method | None) -> None:
    with pytest.raises(ConfigError) as raised:
        choose(provider(), Machine(platform="linux"), forced)
    assert raised.value.hint


@pytest.mark.parametrize("browser", ["lynx", "/usr/bin/w3m", "elinks %s", " "])
def test_a_browser_that_lives_in_the_terminal_is_no_display(browser: str) -> None:
    assert not Machine(platform="linux", environ={"BROWSER": browser}).shows_browsers


def test_empty_variables_count_as_unset() -> None:
    assert not Machine(platform="linux", environ={"DISPLAY": ""}).shows_browsers
    assert Machine(platform="linux", environ={"DISPLAY": ":0", "SSH_TTY": ""}).shows_browsers


def test_flags_are_spelt_as_typed() -> None:
    assert [flag(method) for method in Method] == ["--browser", "--paste", "--device", "--api-key"]
