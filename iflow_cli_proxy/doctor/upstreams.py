"""Do the upstreams answer: names, connections, certificates, the API itself, the sign-in server, each account.

Makes the calls and hands what came back to `gone.py`. A few at a time, each with a limit of its own. Nothing here logs
anybody in, and nothing but the last step shows a credential to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.ids import uuid4
from iflow_cli_proxy.doctor import gone
from iflow_cli_proxy.doctor.clock import date_of
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.reach import LIMIT_S, Look, Target, Trouble, look_at, target_of
from iflow_cli_proxy.doctor.visit import Caller, Visit
from iflow_cli_proxy.doctor.wording import name_of, reason_of
from iflow_cli_proxy.providers import oauth, pkce
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.transport.base import UpstreamRequest
from iflow_cli_proxy.wiring.known import KnownAccount

T = TypeVar("T")

OTHER_HOSTS: Final = ("www.cloudflare.com", "www.aliyun.com")
"""Public names that resolve nearly everywhere: when they do, a name that does not is not this machine's fault."""
_DEVICE_TRIES: Final = 3
_BETWEEN_TRIES_S: Final = 1.0

_finding = partial(Finding, group=Group.UPSTREAMS)


async def examine(visit: Visit, machine: Machine, caller: Caller) -> list[Finding]:
    """From the ground up; where nothing can be reached nobody is called, and a vendor that is gone gets no key."""
    hosts = await _hosts(visit, machine, caller)
    if all(one.is_failure for one in hosts):
        return hosts
    doors = await _doors(visit, caller)
    findings = [*hosts, *doors, *await _device_codes(visit, caller)]
    if not all(one.status is Status.GONE for one in doors):
        findings += await _accounts(visit, caller)
    return findings


# --- names, connections, certificates -------------------------------------------------------------------------------


async def _hosts(visit: Visit, machine: Machine, caller: Caller) -> list[Finding]:
    if proxy := visit.proxy_setting:
        text = f"is called through the proxy in {proxy}, so its names and certificates were not looked at from here"
        return [_finding(status=Status.NOTE, subject=visit.name, text=text)]
    targets = list(dict.fromkeys(map(target_of, visit.addresses())))

    async def look(target: Target) -> Look:
        work = partial(look_at, target, machine.resolve, machine.connect, ca_file=visit.ca_file)
        return await caller(f"looking at {target.name}", work)

    looks = await _all([partial(look, target) for target in targets])
    is_any_known = any(one.trouble is not Trouble.NO_NAME for one in looks)
    others = is_any_known or await _others_resolve(machine, caller)
    if visit.vendor is not None and gone.are_names_gone(looks, others_resolve=others):
        names = ", ".join(target.name for target in targets)
        text = f"{visit.vendor.name} appears to be shut down: none of its names exists any more ({names})"
        return [_finding(status=Status.GONE, subject=visit.name, text=text, action=visit.way_out)]
    if not others:
        text = "no name resolves: this machine has no DNS, or no network"
        action = "look at the network of this machine, or set upstream.proxy if there is one"
        return [_finding(status=Status.FAILURE, subject=visit.name, text=text, action=action)]
    return [_of_look(one, visit, machine.clock.now()) for one in looks]


def _of_look(look: Look, visit: Visit, now: float) -> Finding:
    judged = gone.judge_look(look, now=now)
    needs_action = judged.status in (Status.FAILURE, Status.WARNING)
    return _finding(
        status=judged.status, subject=look.target.name, text=judged.text, action=visit.way_out if needs_action else ""
    )


async def _others_resolve(machine: Machine, caller: Caller) -> bool:
    for host in OTHER_HOSTS:
        try:
            await caller(f"looking up {host}", partial(machine.resolve, host, 443))
        except (OSError, UnicodeError):
            continue
        return True
    return False


# --- the API without a key ------------------------------------------------------------------------------------------


async def _doors(visit: Visit, caller: Caller) -> list[Finding]:
    return [await _door(visit, chat, caller) for chat in visit.chats]


async def _door(visit: Visit, chat: UpstreamRequest, caller: Caller) -> Finding:
    """What two questions say, for models and for a chat."""
    vendor = visit.vendor_at(chat.url)
    subject = visit.name if len(visit.chats) == 1 else f"{visit.name} at {target_of(chat.url).name}"
    models = f"{chat.url.removesuffix('/chat/completions')}/models"
    signs: list[gone.Sign] = []
    judged = gone.Judgement(status=Status.OK, text="")
    for request in (UpstreamRequest(url=models, headers=chat.headers, method="GET"), chat):
        try:
            answer = await _answer(visit, request, f"asking {visit.name}", caller)
        except (GatewayError, OSError) as error:
            judged = gone.judge_error(error)
        else:
            signs.append(gone.sign_of(answer, request.url, is_chat=request is chat, vendor=vendor))
    if signs:
        judged = gone.judge_sign(max(signs, key=_GRAVITY.index), vendor)
    action = "" if judged.status is Status.OK else visit.way_out
    return _finding(status=judged.status, subject=subject, text=judged.text, action=action)


_GRAVITY: Final = (gone.Sign.FAILING, gone.Sign.ALIVE, gone.Sign.ABSENT, gone.Sign.MOVED, gone.Sign.PAGE)
"""Of two signs the later one counts: one good answer outweighs a failure that may pass."""


async def _answer(visit: Visit, request: UpstreamRequest, what: str, caller: Caller) -> OAuthAnswer:
    """Raises GatewayError, TimeoutError."""
    transport = visit.accounts.transport(visit.name)
    answer = await caller(what, partial(call, transport, request, limit_s=LIMIT_S))
    if (date := date_of(answer.headers)) is not None:
        visit.dates.append(visit.accounts.clock.now() - date)
    return answer


# --- signing in -----------------------------------------------------------------------------------------------------


async def _device_codes(visit: Visit, caller: Caller) -> list[Finding]:
    """Whether the sign-in server gives device codes; asking for one signs nobody in."""
    client = visit.client
    if client is None or not client.device_url:
        return []
    verifier = pkce.new_verifier(visit.accounts.entropy)
    answers: list[OAuthAnswer] = []
    judged = gone.Judgement(status=Status.OK, text="")
    for attempt in range(_DEVICE_TRIES):
        if attempt:
            await asyncio.sleep(_BETWEEN_TRIES_S)
        request_id = uuid4(visit.accounts.entropy)
        request = oauth.device_request(client, challenge=pkce.challenge(verifier), request_id=request_id)
        try:
            answers.append(await _answer(visit, request, f"asking {visit.name} for a device code", caller))
        except (GatewayError, OSError) as error:
            judged = gone.judge_error(error)
            break
        is_granted = _is_granted(client, answers[-1], visit.accounts.clock.now())
        judged = gone.judge_device_answers(answers, is_granted, visit.vendor_at(client.device_url))
        if answers[-1].status < 500:
            break
    is_fine = judged.status is Status.OK
    subject = f"{visit.name} sign-in"
    return [_finding(status=judged.status, subject=subject, text=judged.text, action="" if is_fine else visit.way_out)]


def _is_granted(client: OAuthClient, answer: OAuthAnswer, now: float) -> bool:
    try:
        oauth.read_device(client, answer, now=now)
    except GatewayError:
        return False
    return True


# --- accounts -------------------------------------------------------------------------------------------------------


async def _accounts(visit: Visit, caller: Caller) -> list[Finding]:
    """One cheap call with each account that requests may use."""
    now = visit.accounts.clock.now()
    usable = [one for one in visit.known if one.is_usable(now)]
    return await _all([partial(_account, visit, one, caller) for one in usable])


async def _account(visit: Visit, one: KnownAccount, caller: Caller) -> Finding:
    name = name_of(one.saved)
    try:
        verdict = await caller(f"asking with {name}", partial(visit.accounts.verify, one.saved))
        if verdict.error is not None:
            raise verdict.error
    except (GatewayError, OSError) as error:
        return _refused(visit, name, error)
    listed = "" if verdict.models is None else f", and lists {verdict.models} models"
    return _finding(status=Status.OK, subject=name, text=f"is served{listed} ({verdict.took_s:.1f} s)")


def _refused(visit: Visit, name: str, error: Exception) -> Finding:
    judged, is_login = gone.judge_error(error), gone.needs_login(error)
    hint = error.hint if isinstance(error, GatewayError) else ""
    action = hint or (f"iflow2api login {visit.name}" if is_login else visit.way_out)
    return _finding(status=judged.status, subject=name, text=judged.text, action=action, needs_login=is_login)


async def _all(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Each of them at once, in their order; the `Caller` holds back what is too much."""

    async def one(work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(work)) for work in works]
    return [task.result() for task in tasks]


def could_not(name: str, error: Exception) -> Finding:
    """A provider that could not be visited at all."""
    hint = error.hint if isinstance(error, GatewayError) else ""
    return _finding(
        status=Status.FAILURE, subject=name, text=f"could not be looked at: {reason_of(error)}", action=hint
    )
