"""The demo upstream as a web application: three APIs side by side, and where people sign in.

iFlow stands at `/v1`, Qwen's portal at `/qwen/v1`, and an API without peculiarities at `/standard/v1`.

Knows HTTP and who is let in; what is said is decided next door, and `run.py` puts it on a socket. Refuses to know the
gateway, for which this is an upstream like any other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo import auth, faults, portal
from iflow_cli_proxy.demo.faults import BUSINESS, Fault, Plain, http_error
from iflow_cli_proxy.demo.oauth import OAuthDemo
from iflow_cli_proxy.demo.sending import whole
from iflow_cli_proxy.demo.talking import Talker
from iflow_cli_proxy.demo.tokens import Rules
from iflow_cli_proxy.providers.iflow.catalog import load_catalog

IFLOW_PATH: Final = "/v1"
QWEN_PATH: Final = "/qwen/v1"
STANDARD_PATH: Final = "/standard/v1"
_LARGEST_BODY: Final = 64 * 1024 * 1024
_REMEMBERED: Final = 200
_UNAUTHORIZED: Final = http_error(401, "The access token is not known, or its time is over.")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request for an answer or a model list, as it arrived."""

    path: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: Json


class DemoApp:
    """What is behind the paths. `keys` and `oauth` may be changed while it runs; `seen` holds the latest requests."""

    def __init__(
        self,
        keys: auth.Keys,
        *,
        delay_s: float = 0.0,
        seed: int = 0,
        one_at_a_time: bool = False,
        rules: Rules | None = None,
        clock: Clock | None = None,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.keys = keys
        self.oauth = OAuthDemo(keys, rules or Rules(), clock or SystemClock(), entropy, qwen_path=QWEN_PATH)
        self.seen: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._talker = Talker(delay_s=delay_s, seed=seed)
        self._one_at_a_time = one_at_a_time
        self._catalog = load_catalog()

    @property
    def left_early(self) -> int:
        """Answers whose client went away before their end."""
        return self._talker.left_early

    def build(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post(f"{IFLOW_PATH}/chat/completions", self._chat)
        app.router.add_get(f"{IFLOW_PATH}/models", self._models)
        app.router.add_post(f"{QWEN_PATH}/chat/completions", self._portal_chat)
        app.router.add_post(f"{STANDARD_PATH}/chat/completions", self._standard_chat)
        app.router.add_get(f"{STANDARD_PATH}/models", self._standard_models)
        app.router.add_routes(self.oauth.routes())
        return app

    def release(self) -> None:
        """End the answers that hang on purpose."""
        self._talker.closing.set()
        self.oauth.release()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self._remember(request, None)
        refusal = auth.refuse(request.headers, self.keys)
        if refusal is not None:
            return whole(refusal)
        return whole(self._list())

    async def _standard_models(self, request: web.Request) -> web.StreamResponse:
        self._remember(request, None)
        is_known = self.oauth.standard.tokens.person_of(auth.bearer(request.headers))
        return whole(self._list() if is_known else _UNAUTHORIZED)

    def _list(self) -> Plain:
        rows = [
            {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
            for model in self._catalog.listed()
        ]
        return Plain(body=jsonx.encode({"object": "list", "data": rows}))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if body is None:
            return whole(http_error(400, "Bad request!: the body is not JSON, or names no model"))
        fault, name = faults.find_fault(request.headers.get(faults.HEADER, ""), body["model"])
        key = auth.bearer(request.headers)
        refusal = auth.refuse(request.headers, self.keys, name)
        if refusal is not None:
            return whole(refusal)
        if self._one_at_a_time and key in self.keys.busy:
            return whole(auth.too_many())
        self.keys.busy.add(key)
        try:
            return await self._answer(request, body, name, self._talker.still_due(fault))
        finally:
            self.keys.busy.discard(key)

    async def _answer(
        self, request: web.Request, body: Mapping[str, Any], name: str, fault: Fault | None
    ) -> web.StreamResponse:
        plain = faults.plain_answer(fault) if fault else None
        if plain is not None:
            return whole(plain)
        model = self._catalog.find(name or "glm-4.7")
        if model is None:
            return whole(BUSINESS["435"])
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return whole(http_error(400, "Bad request!: messages must not be empty"))
        return await self._talker.answer(request, body, model, fault)

    async def _portal_chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if body is None:
            return whole(portal.complaint("The body is not JSON, or names no model."))
        fault, name = faults.find_fault(request.headers.get(faults.HEADER, ""), body["model"])
        fault = self._talker.still_due(fault)
        plain = faults.plain_answer(fault) if fault else None
        person = self.oauth.qwen.tokens.person_of(auth.bearer(request.headers))
        model = portal.MODELS.find(name or portal.DEFAULT_MODEL)
        refusal = portal.refuse_caller(request.headers, person) or plain or portal.refuse_body(body, model)
        if refusal is not None or model is None:
            return whole(refusal or portal.unknown_model(name))
        return await self._talker.answer(request, body, model, fault)

    async def _standard_chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if body is None:
            return whole(http_error(400, "The body is not JSON, or names no model."))
        if not self.oauth.standard.tokens.person_of(auth.bearer(request.headers)):
            return whole(_UNAUTHORIZED)
        fault, name = faults.find_fault(request.headers.get(faults.HEADER, ""), body["model"])
        return await self._answer(request, body, name, self._talker.still_due(fault))

    async def _read(self, request: web.Request) -> dict[str, Any] | None:
        """The body, remembered, if it is an object that names a model."""
        try:
            body = jsonx.decode_strict(await request.read())
        except jsonx.JsonError:
            return None
        self._remember(request, body)
        return body if isinstance(body, dict) and isinstance(body.get("model"), str) else None

    def _remember(self, request: web.Request, body: Json) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(path=request.path, headers=headers, body=body))
