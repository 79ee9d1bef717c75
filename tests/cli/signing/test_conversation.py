"""The talk between a person and a sign-in, with flows that were written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from iflow_cli_proxy.cli.signing.conversation import Conversation
from iflow_cli_proxy.core.errors import (
    ConfigError,
    GatewayError,
    InvalidRequest,
    LoginRequired,
    Overloaded,
    Unreachable,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.providers.signin import DeviceGrant, Method, OAuthClient, SignIn
from iflow_cli_proxy.signin.signed_in import SignedIn, Sleep
from tests.support.entropy import counting_entropy
from tests.support.person import Paper, Person
from tests.support.virtual_time import run_in_virtual_time

DONE = SignedIn(auth_type=AuthType.OAUTH, label="alice")
STATE = "the-state"
PASTE_PAGE = "https://id.example.com/code-display"
CLIENT = OAuthClient(
    token_url="https://id.example.com/token",
    client_id="c",
    authorize_url="https://id.example.com/authorize",
    device_url="https://id.example.com/device",
)
GRANT = DeviceGrant(
    device_code=Secret("dc-secret"),
    user_code="ABCD-EFGH",
    verification_uri="https://id.example.com/go",
    verification_uri_complete="https://id.example.com/go?c=ABCD-EFGH",
    expires_in_s=900.0,
    interval_s=5.0,
)
Ending = SignedIn | GatewayError


@dataclass
class FakeFlows:
    """Every flow at once; `brought` is what the browser comes back with, None for never."""

    ending: Ending = DONE
    brought: str | GatewayError | None = "code-1"
    authorize: str = "https://id.example.com/authorize"
    grant: DeviceGrant = GRANT
    pauses: tuple[float, ...] = (5.0,)
    failure: GatewayError | None = None
    events: list[Any] = field(default_factory=list)
    state: str = STATE
    redirect_uri: str = "http://127.0.0.1:41000/cb"

    def code(self) -> FakeFlows.Code:
        return self.Code(self)

    @asynccontextmanager
    async def listen(self, client: OAuthClient, state: str) -> AsyncIterator[FakeFlows.Listening]:
        self.events.append(("listen", state))
        try:
            yield self.Listening(self)
        finally:
            self.events.append("closed")

    def device(self, sleep: Sleep) -> FakeFlows.Device:
        return self.Device(self, sleep)

    def _end(self) -> SignedIn:
        if isinstance(self.ending, GatewayError):
            raise self.ending
        return self.ending

    class Code:
        def __init__(self, flows: FakeFlows) -> None:
            self.flows = flows
            self.state = flows.state

        def url(self, redirect_uri: str) -> str:
            return f"{self.flows.authorize}?redirect_uri={redirect_uri}"

        async def finish(self, code: str, redirect_uri: str) -> SignedIn:
            self.flows.events.append(("finish", code, redirect_uri))
            return self.flows._end()

    class Listening:
        def __init__(self, flows: FakeFlows) -> None:
            self.flows = flows
            self.redirect_uri = flows.redirect_uri

        async def code(self, timeout_s: float) -> str:
            self.flows.events.append(("wait", timeout_s))
            if self.flows.brought is None:
                await asyncio.Event().wait()
            if isinstance(self.flows.brought, GatewayError):
                raise self.flows.brought
            return str(self.flows.brought)

        async def finish(self, ok: bool, message: str = "", *, command: str = "") -> None:
            self.flows.events.append(("page", ok, message))

    class Device:
        def __init__(self, flows: FakeFlows, sleep: Sleep) -> None:
            self.flows = flows
            self.sleep = sleep
            self.failure: GatewayError | None = None

        async def begin(self) -> DeviceGrant:
            if isinstance(self.flows.ending, Unreachable):
                raise self.flows.ending
            return self.flows.grant

        async def wait(self, grant: DeviceGrant) -> SignedIn:
            assert grant is self.flows.grant
            for pause_s in self.flows.pauses:
                await self.sleep(pause_s)
                self.failure = self.flows.failure
            return self.flows._end()


@dataclass
class Talk:
    """A conversation and everything around it."""

    flows: FakeFlows = field(default_factory=FakeFlows)
    person: Person = field(default_factory=Person)
    paper: Paper = field(default_factory=Paper)
    opened: list[str] = field(default_factory=list)
    shows_browsers: bool = True
    timeout_s: float | None = None
    client: OAuthClient | None = CLIENT
    notice: str = ""
    key_page: str = ""

    async def _hold(self, method: Method) -> SignedIn:
        talk = Conversation(
            sign_in=SignIn(provider="desk", client=self.client, notice=self.notice, key_page=self.key_page),
            flows=self.flows,
            screen=self.paper.screen,
            answers=self.person,
            open_page=self.opened.append,
            shows_browsers=self.shows_browsers,
            entropy=counting_entropy(),
            timeout_s=self.timeout_s,
        )
        return await talk.hold(method)

    def hold(self, method: Method) -> SignedIn:
        return run_in_virtual_time(self._hold(method))

    def fails(self, method: Method) -> GatewayError:
        with pytest.raises(GatewayError) as raised:
            self.hold(method)
        return raised.value


# --- browser ------------------------------------------------------------------------------------------------------


def test_the_browser_is_opened_and_its_address_shown_and_the_code_redeemed() -> None:
    talk = Talk()
    assert talk.hold(Method.BROWSER) is DONE
    page = "https://id.example.com/authorize?redirect_uri=http://127.0.0.1:41000/cb"
    assert talk.opened == [page]
    assert page in talk.paper.text.splitlines()
    assert talk.flows.events == [
        ("listen", STATE),
        ("wait", 300.0),
        ("finish", "code-1", "http://127.0.0.1:41000/cb"),
        ("page", True, "You are signed in at desk."),
        "closed",
    ]


def test_the_browser_hears_of_a_failure_after_the_exchange() -> None:
    talk = Talk(flows=FakeFlows(ending=Overloaded("too many people")))
    assert isinstance(talk.fails(Method.BROWSER), Overloaded)
    assert talk.flows.events[-2:] == [("page", False, "too many people"), "closed"]


def test_a_refusal_in_the_browser_ends_it_and_nothing_is_redeemed() -> None:
    talk = Talk(flows=FakeFlows(brought=LoginRequired("refused")))
    assert isinstance(talk.fails(Method.BROWSER), LoginRequired)
    assert [event[0] for event in talk.flows.events] == ["listen", "wait", "c"]


@pytest.mark.parametrize(
    "typed",
    ["http://127.0.0.1:41000/cb?code=pasted&state=the-state", "?code=pasted&state=the-state", "code=pasted"],
)
def test_an_address_pasted_while_the_browser_is_waited_for_counts_as_well(typed: str) -> None:
    talk = Talk(flows=FakeFlows(brought=None), person=Person(lines=(typed,)))
    assert talk.hold(Method.BROWSER) is DONE
    assert ("finish", "pasted", "http://127.0.0.1:41000/cb") in talk.flows.events
    assert not talk.person.is_overheard


def test_nonsense_pasted_meanwhile_is_told_and_the_wait_goes_on() -> None:
    lines = ("clear", "https://id.example.com/cb?code=x&state=of-another", "code=good", "code=late")
    talk = Talk(flows=FakeFlows(brought=None), person=Person(lines=lines))
    assert talk.hold(Method.BROWSER) is DONE
    assert ("finish", "good", talk.flows.redirect_uri) in talk.flows.events
    assert "another sign-in" in talk.paper.text


def test_a_refusal_that_is_pasted_ends_the_wait() -> None:
    person = Person(lines=("http://127.0.0.1:41000/cb?error=access_denied&state=the-state",))
    talk = Talk(flows=FakeFlows(brought=None), person=person)
    assert talk.fails(Method.BROWSER).code == "access_denied"


def test_what_to_do_with_a_browser_elsewhere_is_said() -> None:
    at_terminal, alone = Talk(), Talk(person=Person(can_ask=False), shows_browsers=False)
    for talk in (at_terminal, alone):
        talk.hold(Method.BROWSER)
    assert "paste the address of that page here" in at_terminal.paper.text
    assert "iflow2api login desk --paste" in alone.paper.text


def test_the_wait_for_the_browser_can_be_shortened() -> None:
    talk = Talk(timeout_s=20.0)
    talk.hold(Method.BROWSER)
    assert ("wait", 20.0) in talk.flows.events


@pytest.mark.parametrize("method", [Method.BROWSER, Method.PASTE])
@pytest.mark.parametrize("url", ["http://id.example.com/authorize", "javascript:x", "file:///x"])
def test_i54_a_page_that_is_not_safe_is_neither_shown_nor_opened(method: Method, url: str) -> None:
    talk = Talk(flows=FakeFlows(authorize=url))
    assert isinstance(talk.fails(method), ConfigError)
    assert talk.opened == []
    assert url not in talk.paper.text


# --- paste --------------------------------------------------------------------------------------------------------


def test_a_page_that_shows_the_code_is_preferred_for_pasting() -> None:
    client = OAuthClient(token_url="x", client_id="c", authorize_url="x", paste_redirect=PASTE_PAGE)
    talk = Talk(client=client, person=Person("shown-code"))
    assert talk.hold(Method.PASTE) is DONE
    assert talk.flows.events == [("finish", "shown-code", PASTE_PAGE)]
    assert talk.opened == []
    assert talk.person.asked == [("Code or address", False)]


def test_without_one_the_address_of_a_page_that_does_not_load_is_copied() -> None:
    talk = Talk(person=Person("http://127.0.0.1:49153/oauth2callback?code=abc&state=the-state"))
    talk.hold(Method.PASTE)
    ((_, code, redirect_uri),) = talk.flows.events
    assert (code, redirect_uri) == ("abc", "http://127.0.0.1:49153/oauth2callback")
    assert "does not load" in talk.paper.text


def test_a_registered_port_is_kept_for_pasting_too() -> None:
    client = OAuthClient(token_url="x", client_id="c", authorize_url="x", redirect_host="localhost", redirect_port=1455)
    talk = Talk(client=client, person=Person("abc-12345"))
    talk.hold(Method.PASTE)
    assert talk.flows.events == [("finish", "abc-12345", "http://localhost:1455/oauth2callback")]


def test_nonsense_may_be_corrected_twice() -> None:
    talk = Talk(person=Person("not a code", "ls", "good-code"))
    talk.hold(Method.PASTE)
    assert len(talk.person.asked) == 3
    assert talk.flows.events[-1][1] == "good-code", "what comes after nonsense is the next answer"

    talk = Talk(person=Person("not a code", "https://id.example.com/", "no good", "good"))
    assert isinstance(talk.fails(Method.PASTE), InvalidRequest)
    assert talk.flows.events == []


def test_a_refusal_that_is_pasted_is_not_asked_about_again() -> None:
    talk = Talk(person=Person("?error=access_denied&state=the-state", "code"))
    assert isinstance(talk.fails(Method.PASTE), LoginRequired)
    assert len(talk.person.asked) == 1


@pytest.mark.parametrize(
    ("method", "flag"), [(Method.PASTE, "--paste"), (Method.API_KEY, "--api-key")], ids=["paste", "key"]
)
def test_a_pipe_is_read_once_and_an_empty_one_is_wrong_usage(method: Method, flag: str) -> None:
    talk = Talk(person=Person(can_ask=False))
    error = talk.fails(method)
    assert isinstance(error, ConfigError)
    assert error.param == flag
    assert f"iflow2api login desk {flag}" in error.hint

    wrong = Talk(person=Person("with blanks in it", "good", can_ask=False))
    assert isinstance(wrong.fails(method), InvalidRequest)
    assert len(wrong.person.asked) == 1


# --- device -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shows_browsers", [True, False])
def test_a_device_code_is_shown_and_waited_for(shows_browsers: bool) -> None:
    talk = Talk(shows_browsers=shows_browsers, paper=Paper(80))
    assert talk.hold(Method.DEVICE) is DONE
    assert "ABCD-EFGH" in talk.paper.text
    assert "15:00 left" in talk.paper.text
    assert "dc-secret" not in talk.paper.text
    assert talk.opened == ([GRANT.verification_uri_complete] if shows_browsers else [])


def test_i55_slower_polling_is_told() -> None:
    talk = Talk(flows=FakeFlows(pauses=(5.0, 10.0, 10.0, 15.0)))
    talk.hold(Method.DEVICE)
    assert [line for line in talk.paper.text.splitlines() if line.startswith("asking")] == [
        "asking for a code",
        "asking only every 10 s",
        "asking only every 15 s",
    ]


def test_a_server_that_fails_meanwhile_is_told() -> None:
    talk = Talk(flows=FakeFlows(pauses=(5.0, 5.0, 5.0), failure=Overloaded("the server is busy")))
    talk.hold(Method.DEVICE)
    assert talk.paper.text.splitlines().count("the server is busy") == 1


@pytest.mark.parametrize("error", [LoginRequired("refused", code="access_denied"), LoginRequired("expired")])
def test_i55_denial_and_expiry_end_the_wait(error: LoginRequired) -> None:
    talk = Talk(flows=FakeFlows(ending=error))
    assert talk.fails(Method.DEVICE) is error


def test_a_device_code_is_not_waited_for_longer_than_asked() -> None:
    talk = Talk(flows=FakeFlows(pauses=(5.0,) * 100), timeout_s=60.0)
    error = talk.fails(Method.DEVICE)
    assert isinstance(error, LoginRequired)
    assert "60 s" in error.message
    assert "iflow2api login desk --device" in error.hint
    assert "1:00 at most" in talk.paper.text


def test_a_server_that_is_not_there_gives_no_code() -> None:
    talk = Talk(flows=FakeFlows(ending=Unreachable("gone")))
    assert isinstance(talk.fails(Method.DEVICE), Unreachable)


def test_i54_a_device_page_that_is_not_safe_is_neither_shown_nor_opened() -> None:
    grant = DeviceGrant(
        device_code=Secret("d"), user_code="A", verification_uri="file:///x", verification_uri_complete="",
        expires_in_s=9.0, interval_s=5.0,
    )  # fmt: skip
    talk = Talk(flows=FakeFlows(grant=grant))
    assert isinstance(talk.fails(Method.DEVICE), ConfigError)
    assert talk.opened == []
    assert "file:" not in talk.paper.text


# --- API key ------------------------------------------------------------------------------------------------------


def test_an_api_key_is_asked_for_without_showing_it() -> None:
    talk = Talk(person=Person("sk-with blank", "sk-ümlaut", "sk-good-key"), key_page="https://desk.example.com/keys")
    signed_in = talk.hold(Method.API_KEY)
    assert signed_in.api_key == Secret("sk-good-key")
    assert signed_in.auth_type is AuthType.API_KEY
    assert signed_in.tokens is None
    assert talk.person.asked == [("API key of desk", True)] * 3
    assert "https://desk.example.com/keys" in talk.paper.text
    assert "sk-" not in talk.paper.text


def test_an_api_key_comes_through_a_pipe_without_a_word() -> None:
    talk = Talk(person=Person("sk-good-key", can_ask=False), key_page="https://desk.example.com/keys")
    assert talk.hold(Method.API_KEY).api_key == Secret("sk-good-key")
    assert talk.paper.text == ""


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", Method)
def test_what_a_person_should_know_is_said_first(method: Method) -> None:
    talk = Talk(notice="The vendor has closed the service.", person=Person("some-key-or-code"))
    talk.hold(method)
    assert talk.paper.text.startswith("The vendor has closed the service.\n")


@pytest.mark.parametrize("method", [Method.BROWSER, Method.PASTE])
def test_a_provider_without_oauth_names_the_way_that_is_left(method: Method) -> None:
    assert "--api-key" in Talk(client=None).fails(method).hint


@pytest.mark.parametrize("method", [Method.BROWSER, Method.DEVICE])
async def test_ctrl_c_leaves_a_clean_terminal(method: Method) -> None:
    paper = Paper(80)
    talk = Talk(flows=FakeFlows(brought=None, pauses=(1e9,)), paper=paper)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await talk._hold(method)
    assert paper.text.rindex("\x1b[?25h") > paper.text.rindex("\x1b[?25l")
    assert not talk.person.is_overheard
    if method is Method.BROWSER:
        assert talk.flows.events[-1] == "closed"
