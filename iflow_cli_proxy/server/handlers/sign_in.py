"""`POST /auth/initiate` and `/auth/poll`: a device code sign-in for programs, in the seed proxy's own shape.

The server keeps nothing between the two (reference/qwen.md 10.1, 10.2). A sign-in adds an account to this pool or
replaces the credential of one, so neither a web page of somebody else nor a client key with narrower limits may make
one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Busy, Draining, GatewayError, InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import STATE
from iflow_cli_proxy.server.origin import refuse_other_origins
from iflow_cli_proxy.server.privilege import refuse_limited_callers
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.signin.device import DeviceFlow, GivenUp
from iflow_cli_proxy.signin.enrol import enrol
from iflow_cli_proxy.signin.identity import check_label
from iflow_cli_proxy.signin.signed_in import SignedIn

_DEFAULT_PROVIDER: Final = "qwen"
_LONGEST_CODE: Final = 4096
_INTERVAL_S: Final = 5.0
_LONGEST_INTERVAL_S: Final = 60.0
_COME_BACK_S: Final = 1.0
_MOST_POLLS: Final = 16
"""Sign-ins that may be waited for at one time: each holds a connection for minutes."""


async def initiate(request: web.Request) -> web.Response:
    """Ask the provider (`provider` in the body, else qwen) for a code to show to a person."""
    state = request.app[STATE]
    provider = _provider(await _fields(request, state))
    try:
        flow = _flow(state, provider)
        grant = await flow.begin()
    except GatewayError as error:
        return _failed(error)
    return json_answer(
        {
            "verification_uri": grant.verification_uri,
            "verification_uri_complete": grant.verification_uri_complete,
            "user_code": grant.user_code,
            "device_code": grant.device_code.reveal(),
            "code_verifier": flow.verifier,
            "expires_in": round(grant.expires_in_s),
            "interval": round(grant.interval_s),
        }
    )


async def poll(request: web.Request) -> web.Response:
    """Wait until the person has decided, keep the account, and say so.

    In the body `account` names it, and `interval` may come back as it was given. A client that leaves ends the wait,
    and so does a server that stops: whoever asks the next one with the same code goes on waiting. The token itself is
    not told: it is of no use outside of the gateway.
    """
    state = request.app[STATE]
    fields = await _fields(request, state)
    code, verifier = _text(fields, "device_code"), _text(fields, "code_verifier")
    if not code or not verifier:
        return json_answer(
            {"error": {"message": "Missing device_code or code_verifier", "type": "invalid_request"}}, status=400
        )
    provider = _provider(fields)
    label = check_label(_text(fields, "account")) if fields.get("account") else ""
    if state.sign_ins_waited_for >= _MOST_POLLS:
        raise Busy("Too many sign-ins are being waited for.", retry_after_s=5.0)
    state.sign_ins_waited_for += 1
    try:
        flow = _flow(state, provider)
        grant = flow.resume(device_code=Secret(code), verifier=verifier, interval_s=_interval_s(fields))
        signed_in = await flow.wait(grant, is_given_up=lambda: state.is_draining)
        return json_answer(await _kept(state, provider, signed_in, label))
    except GivenUp as error:
        raise Draining("The gateway is stopping; ask again with the same code.", retry_after_s=_COME_BACK_S) from error
    except GatewayError as error:
        return _failed(error)
    finally:
        state.sign_ins_waited_for -= 1


async def _kept(state: ServerState, provider: str, signed_in: SignedIn, label: str) -> Json:
    done = await asyncio.to_thread(
        enrol,
        state.accounts.store,
        provider,
        signed_in,
        label=label,
        now=state.clock.now(),
        entropy=state.entropy,
    )
    account: dict[str, Json] = {"provider": provider, "label": done.account.label}
    if not state.settings.current.auth.accept_account_ids:  # else its id is a key
        account["id"] = done.account.id
    return {
        "access_token": str(done.account.bearer),
        "message": "Authentication successful",
        "account": account,
    }


def _interval_s(fields: dict[str, Any]) -> float:
    """What `initiate` said, if it came back; nonsense is nobody's interval."""
    value = fields.get("interval")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LONGEST_INTERVAL_S:
        return _INTERVAL_S
    return float(value)


def _flow(state: ServerState, provider: str) -> DeviceFlow:
    accounts = state.accounts
    return DeviceFlow(
        accounts.sign_in(provider), accounts.transport(provider), clock=state.clock, entropy=state.entropy
    )


async def _fields(request: web.Request, state: ServerState) -> dict[str, Any]:
    """The body's fields; no body is an empty object."""
    refuse_other_origins(request)
    refuse_limited_callers(request)
    if not request.can_read_body:
        return {}
    try:
        value = jsonx.decode_strict(await read_json_body(request, state.settings.current.server) or b"{}")
    except JsonError as error:
        raise InvalidRequest(f"The body is not JSON: {error.what}.") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return value


def _provider(fields: dict[str, Any]) -> str:
    return _text(fields, "provider").lower() or _DEFAULT_PROVIDER


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_CODE:
        raise InvalidRequest(f"`{name}` must be a text of at most {_LONGEST_CODE} characters.", param=name)
    return value.strip()


def _failed(error: GatewayError) -> web.Response:
    """Every failure of a sign-in has one shape there, and one status."""
    message = f"{error.message} {error.hint}".strip()
    return json_answer({"error": {"message": message, "type": "authentication_error", "code": 500}}, status=500)
