"""Qwen: how a checked request becomes one the vendor's client could have sent, by a sign-in or with an API key.

Puts together the parts of this folder. Keeps no sockets, files or tasks. Signing in and refreshing are not its work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import CredentialError, GatewayError, LoginRequired, QuotaExhausted
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers import urls
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.headers import overlaid
from iflow_cli_proxy.providers.qwen import addresses, headers, sunset
from iflow_cli_proxy.providers.qwen.body import build_body
from iflow_cli_proxy.providers.qwen.catalog import output_limit, wire_name
from iflow_cli_proxy.providers.qwen.errors import ERROR_FINISH, find_error
from iflow_cli_proxy.providers.qwen.sessions import Sessions
from iflow_cli_proxy.providers.qwen.thinking import Default, split_name
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.transport.base import UpstreamRequest

_ENDED: Final = (CredentialError, QuotaExhausted)
"""What a sign-in hears since the free tier is gone."""


class QwenProvider:
    """The Provider port for Qwen's portal, for DashScope, and for whatever speaks like them."""

    protocol: Final = "openai_chat"
    passes_on: Final[frozenset[str]] = frozenset()
    profile: Final = Profile(effort_none=True)
    default_concurrency: Final = 4
    failing_stop_words: Final = frozenset({ERROR_FINISH})
    reuses_call_indexes: Final = True
    support_id_header: Final = "x-request-id"

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        *,
        clock: Clock,
        entropy: Entropy,
        base_url: str = "",
        platform: str = "linux",
        machine: str = "x86_64",
        extra_headers: Mapping[str, str] | None = None,
        default_thinking: Default = "auto",
    ) -> None:
        self.name = name
        self.catalog = catalog
        self._clock = clock
        self._base_url = base_url
        self._fixed_headers = headers.fixed_headers(platform, machine)
        self._extra_headers = headers.with_one_agent(dict(extra_headers or {}))
        self._default_thinking = default_thinking
        self._sessions = Sessions(entropy)

    @property
    def hint_when_gone(self) -> str:
        """Only the vendor's own service has ended; a relay that speaks its wire format has not."""
        is_relay = self._base_url and not addresses.is_vendors(self._base_url)
        return "" if is_relay else sunset.hint(self._clock.now())

    def prepare(self, call: Call) -> UpstreamRequest:
        account = call.account
        model, wish = split_name(call.model)
        row = self.catalog.find(model)
        wire = wire_name(row, is_oauth=account.is_oauth) if row else model
        final = self.catalog.find(wire)
        body = build_body(
            wire,
            call.fields,
            is_stream=call.is_stream,
            output_limit=(final.output_tokens if final else 0) or output_limit(wire),
            session=self._sessions.session_id(account.id, call.conversation),
            wish=wish,
            default_thinking=self._default_thinking,
            is_switchable=final is not None and final.thinking == "switchable",
            wants_usage=call.wants_usage,
        )
        return UpstreamRequest(
            url=urls.join(self._base_url_for(account), urls.CHAT),
            headers=self._headers(account),
            body=jsonx.encode(body),
            fields=tuple(body),
        )

    def models_request(self, account: Account) -> UpstreamRequest | None:
        """The portal has no list; DashScope has one."""
        if account.is_oauth:
            return None
        own = self._headers(account)
        own.pop("Content-Type", None)
        return UpstreamRequest(url=urls.join(self._base_url_for(account), urls.MODELS), headers=own, method="GET")

    def find_error(self, status: int, headers: Mapping[str, str], body: Json) -> GatewayError | None:
        error = find_error(status, headers, body, now=self._clock.now())
        looks_gone = body is None and status in (200, 301, 302, 303, 307, 308, 404, 410)
        if error is not None and (looks_gone or isinstance(error, _ENDED)) and self.hint_when_gone:
            error.hint = self.hint_when_gone
        return error

    def _base_url_for(self, account: Account) -> str:
        """The account's own address, the configured one, the vendor's; a token goes to no stranger.

        Raises:
            LoginRequired: the address came with a sign-in and is not one of the vendor's.
        """
        if not account.is_oauth:
            return account.base_url or self._base_url or addresses.DASHSCOPE
        if not account.base_url:
            return self._base_url or addresses.PORTAL
        trusted = addresses.base_url_of(account.base_url, self._base_url)
        if not trusted:
            raise LoginRequired(
                "The sign-in names an address that is not one of Qwen's, so its token is not sent there.",
                hint=f"if you trust that address, make it the base_url of [providers.{self.name}]; else sign in again",
            )
        return trusted

    def _headers(self, account: Account) -> dict[str, str]:
        who = headers.credentials(account.api_key.reveal().strip(), is_oauth=account.is_oauth)
        return overlaid({**self._fixed_headers, **who}, self._extra_headers)
