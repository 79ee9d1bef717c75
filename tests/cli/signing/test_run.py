"""From the flags to a saved account, with providers that were written down and a real store."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.signing.method import Machine
from iflow_cli_proxy.cli.signing.run import Login, LoginPlan, this_machine
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    ConfigError,
    CredentialError,
    GatewayError,
    InvalidRequest,
    Overloaded,
    Unauthenticated,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount, Tokens
from iflow_cli_proxy.providers.signin import Method, OAuthAnswer, OAuthClient, Profile, SignIn
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.transport.base import UpstreamRequest
from iflow_cli_proxy.wiring.accounts import Verdict
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply, FakeTransport
from tests.support.person import Paper, Person
from tests.support.virtual_time import run_in_virtual_time

KEY = "sk-0123456789abcdef"
CLIENT = OAuthClient(
    token_url="https://id.example.com/token",
    client_id="c",
    authorize_url="https://id.example.com/authorize",
    device_url="https://id.example.com/device",
)
TOKENS = FakeReply(b'{"access_token":"at-secret","refresh_token":"rt-secret","expires_in":21600}')
WORKS = Verdict(error=None, models=12, took_s=0.3)
DENIED = Verdict(error=Unauthenticated("The key is not known here."), models=None, took_s=0.1)


class NoProfiles:
    """A provider that gives tokens, and then has no time to say which API key goes with them."""

    def request(self, tokens: Tokens) -> UpstreamRequest:
        return UpstreamRequest(url="https://id.example.com/me", headers={}, method="GET")

    def read(self, answer: OAuthAnswer) -> Profile:
        raise Overloaded("too many people")


@dataclass
class Desk:
    """The accounts of one person and the providers `iflow`, `desk` and `shop`."""

    folder: Path
    verdict: Verdict = WORKS
    replies: tuple[FakeReply | GatewayError, ...] = ()
    clock: FakeClock = field(default_factory=FakeClock)
    verified: list[SavedAccount] = field(default_factory=list)
    provider_names: tuple[str, ...] = ("iflow", "desk", "shop")

    def __post_init__(self) -> None:
        self.entropy = counting_entropy()
        self.store = AccountStore(self.folder, clock=self.clock)

    def sign_in(self, provider: str) -> SignIn:
        if provider.lower() not in self.provider_names:
            raise ConfigError(f"There is no provider called {provider!r}.", hint="did you mean desk?")
        profiles = NoProfiles() if provider == "iflow" else None
        return SignIn(provider=provider.lower(), client=None if provider == "shop" else CLIENT, profiles=profiles)

    def transport(self, provider: str) -> FakeTransport:
        return FakeTransport(*self.replies)

    async def verify(self, account: SavedAccount) -> Verdict:
        self.verified.append(account)
        return self.verdict


@dataclass
class Room:
    """One `login` with everything it touches."""

    desk: Desk
    person: Person = field(default_factory=Person)
    paper: Paper = field(default_factory=Paper)
    environ: Mapping[str, str] = field(default_factory=dict)

    async def login(self, provider: str = "shop", *, default: str = "", **plan: object) -> ExitCode:
        whole = LoginPlan(session=Session({}), provider=provider, **plan)
        machine = Machine(platform="linux", environ=self.environ, can_ask=self.person.can_ask)
        return await Login(whole, self.desk, self.paper.screen, self.person, machine).run(default)

    @property
    def saved(self) -> tuple[SavedAccount, ...]:
        return self.desk.store.load().accounts


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(Desk(tmp_path / "accounts"), person=Person(KEY))


async def test_an_account_is_saved_verified_and_told(room: Room) -> None:
    assert await room.login() is ExitCode.OK
    (account,) = room.saved
    assert (account.provider, account.label, account.api_key) == ("shop", "shop", Secret(KEY))
    assert room.desk.verified == [account]
    assert "Signed in at shop as shop." in room.paper.text
    assert "works, 12 models (0.3 s)" in room.paper.text
    assert "`iflow2api serve`" in room.paper.text
    assert KEY not in room.paper.text


async def test_a_first_call_that_fails_keeps_the_account_and_is_a_partial_failure(room: Room) -> None:
    room.desk.verdict = DENIED
    assert await room.login() is ExitCode.PARTLY_FAILED
    assert len(room.saved) == 1
    assert "The key is not known here." in room.paper.text
    assert "`iflow2api doctor`" in room.paper.text


@pytest.mark.parametrize("is_refused", [True, False], ids=["a wrong key", "a server that is down"])
async def test_a_key_that_is_not_taken_is_not_listed_as_fine(room: Room, is_refused: bool) -> None:
    error = CredentialError("No such key.", hint="ask another program") if is_refused else Overloaded("Later.")
    room.desk.verdict = Verdict(error=error, models=None, took_s=0.1)

    assert await room.login() is ExitCode.PARTLY_FAILED

    (kept,) = room.saved
    assert (kept.is_refused, kept.last_error) == ((True, "No such key.") if is_refused else (False, ""))
    assert ("`iflow2api login shop --api-key --name shop` takes another one" in room.paper.text) is is_refused
    assert "ask another program" not in room.paper.text


async def test_nobody_is_called_when_that_is_not_wanted(room: Room) -> None:
    room.desk.verdict = DENIED
    assert await room.login(verifies=False) is ExitCode.OK
    assert room.desk.verified == []
    assert "works" not in room.paper.text


async def test_the_account_is_called_as_asked_and_signing_in_again_changes_no_name(room: Room) -> None:
    await room.login(label="work")
    assert "Signed in at shop as work." in room.paper.text
    room.person = Person(KEY)
    await room.login()
    assert [account.label for account in room.saved] == ["work"]
    assert "Signed in again at shop as work." in room.paper.text


@pytest.mark.parametrize("label", ["../x", "A", "a/b", "con", "x" * 64, "-x", " "])
async def test_i39_a_name_that_cannot_be_one_is_refused_before_anybody_is_asked(room: Room, label: str) -> None:
    with pytest.raises(ConfigError) as raised:
        await room.login(label=label)
    assert raised.value.param == "--name"
    assert raised.value.hint
    assert room.person.asked == []


# --- which provider -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "default", "provider"),
    [
        (("shop",), "", "shop"),
        (("3",), "", "shop"),
        (("0", "4", "shop"), "", "shop"),
        (("",), "shop", "shop"),
        (("nonsense", "-1", "3"), "gone", "shop"),
    ],
)
async def test_without_a_provider_one_is_chosen_from_a_list(
    room: Room, answers: tuple[str, ...], default: str, provider: str
) -> None:
    room.person = Person(*answers, KEY)
    await room.login("", default=default)
    assert room.saved[0].provider == provider
    assert "  3  shop" in room.paper.text


async def test_three_wrong_choices_are_enough(room: Room) -> None:
    room.person = Person("a", "b", "c", "shop")
    with pytest.raises(ConfigError) as raised:
        await room.login("")
    assert raised.value.param == "--provider"


async def test_without_a_terminal_the_provider_must_be_named(room: Room) -> None:
    room.person = Person(KEY, can_ask=False)
    with pytest.raises(ConfigError) as raised:
        await room.login("")
    assert raised.value.param == "--provider"
    assert all(name in raised.value.hint for name in room.desk.provider_names)
    assert room.person.asked == []


async def test_a_provider_nobody_knows_is_wrong_usage(room: Room) -> None:
    with pytest.raises(ConfigError) as raised:
        await room.login("dsek")
    assert raised.value.param == "--provider"
    assert raised.value.hint == "did you mean desk?"


async def test_i43_a_key_in_the_place_of_a_provider_is_not_repeated(room: Room) -> None:
    with pytest.raises(ConfigError) as raised:
        await room.login(KEY, forced=Method.API_KEY)
    assert raised.value.param == "--api-key"
    assert KEY not in raised.value.message + raised.value.hint


async def test_a_way_that_the_provider_does_not_have_is_wrong_usage(room: Room) -> None:
    with pytest.raises(ConfigError) as raised:
        await room.login(forced=Method.DEVICE)
    assert raised.value.param == "--device"
    assert "--api-key" in raised.value.hint


# --- real flows, written answers ----------------------------------------------------------------------------------


async def test_the_pasted_code_is_redeemed(room: Room) -> None:
    room.desk.replies = (TOKENS,)
    room.person = Person("some-code")
    assert await room.login("desk", forced=Method.PASTE) is ExitCode.OK
    (account,) = room.saved
    assert account.tokens is not None
    assert account.tokens.refresh_token == Secret("rt-secret")
    assert "in 6 h, renewed by itself" in room.paper.text
    assert not {"at-secret", "rt-secret", "some-code"} & set(room.paper.text.split())


def test_a_sign_in_that_still_lacks_its_key_is_saved_and_nobody_is_called(room: Room) -> None:
    room.desk.replies = (TOKENS, FakeReply(b"{}"))
    room.person = Person("some-code")
    assert run_in_virtual_time(room.login("iflow", forced=Method.PASTE)) is ExitCode.PARTLY_FAILED
    assert len(room.saved) == 1
    assert room.desk.verified == []
    assert "it could not be used yet: too many people" in room.paper.text


async def test_a_failure_says_what_to_type_next_and_saves_nothing(room: Room) -> None:
    room.desk.replies = (Overloaded("too many people"),)
    room.person = Person("some-code")
    with pytest.raises(Overloaded) as raised:
        await room.login("desk", forced=Method.PASTE)
    assert raised.value.hint == "`iflow2api login desk` tries again"
    assert room.saved == ()


async def test_a_piped_key_with_characters_no_key_has_is_refused(room: Room) -> None:
    room.person = Person("sk-tücke", can_ask=False)
    with pytest.raises(InvalidRequest):
        await room.login()
    assert room.saved == ()


class Leaving(Person):
    def ask(self, question: str, *, is_secret: bool = False, default: str = "") -> str:
        raise KeyboardInterrupt


async def test_ctrl_c_at_a_question_says_that_nothing_was_saved(room: Room) -> None:
    room.person = Leaving()
    login = room.login()
    with pytest.raises(KeyboardInterrupt):
        login.send(None)
    assert "nothing was saved" in room.paper.text
    assert room.saved == ()


# --- for programs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [WORKS, DENIED], ids=["works", "denied"])
async def test_a_program_gets_one_object_without_secrets(
    room: Room, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    room.desk.verdict = verdict
    await room.login(as_json=True, label="work")
    out = capsys.readouterr().out
    told = jsonx.decode(out.encode())
    failure = {"kind": "unauthenticated", "message": "The key is not known here.", "hint": ""}
    assert told == {
        "id": room.saved[0].id,
        "provider": "shop",
        "label": "work",
        "state": "ok",
        "expires_at": None,
        "verified": verdict is WORKS,
        "models": verdict.models,
        "error": None if verdict is WORKS else failure,
    }
    assert out.count("\n") == 1
    assert KEY not in out


async def test_times_are_utc_and_a_check_that_was_not_made_is_null(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.desk.replies = (TOKENS,)
    room.person = Person("some-code")
    await room.login("desk", forced=Method.PASTE, as_json=True, verifies=False)
    told = jsonx.decode(capsys.readouterr().out.encode())
    assert (told["expires_at"], told["verified"]) == ("2023-11-15T04:13:20Z", None)


def test_the_facts_of_this_machine_are_looked_up() -> None:
    machine = this_machine({"container": "podman"}, can_ask=True)
    assert (machine.platform, machine.is_container, machine.can_ask) == (sys.platform, True, True)
