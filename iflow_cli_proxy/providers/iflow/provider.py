"""iFlow: how a checked request becomes one the vendor's client could have sent.

Puts together the parts of this folder. Keeps no sockets, files or tasks; the only thing it remembers is which session
each account is in. Signing in and refreshing are not its work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers import urls
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.headers import overlaid
from iflow_cli_proxy.providers.iflow import headers as header_tables
from iflow_cli_proxy.providers.iflow import sunset
from iflow_cli_proxy.providers.iflow.body import INTERNAL_HOSTS, build_body
from iflow_cli_proxy.providers.iflow.catalog import output_limit
from iflow_cli_proxy.providers.iflow.errors import find_error
from iflow_cli_proxy.providers.iflow.headers import USER_AGENT, HeaderValues
from iflow_cli_proxy.providers.iflow.sessions import Sessions
from iflow_cli_proxy.providers.iflow.signature import sign
from iflow_cli_proxy.providers.iflow.thinking import Default, split_name
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.transport.base import UpstreamRequest

BASE_URL: Final = "https://apis.iflow.cn/v1"
VENDOR_DOMAIN: Final = "iflow.cn"


class IflowProvider:
    """The Provider port for iFlow and for whatever speaks its wire format."""

    protocol: Final = "openai_chat"
    passes_on: Final[frozenset[str]] = frozenset()
    profile: Final = Profile(effort_none=True)
    default_concurrency: Final = 1
    failing_stop_words: Final = frozenset({"network_error"})
    reuses_call_indexes: Final = True
    support_id_header: Final = "eagleeye-traceid"

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        *,
        clock: Clock,
        entropy: Entropy,
        base_url: str = "",
        header_set: str = "aligned",
        extra_headers: Mapping[str, str] | None = None,
        default_thinking: Default = "auto",
    ) -> None:
        self.name = name
        self.catalog = catalog
        self._clock = clock
        self._base_url = base_url or BASE_URL
        self._rows = header_tables.table(header_set)
        self._extra_headers = dict(extra_headers or {})
        self._default_thinking = default_thinking
        self._sessions = Sessions(clock, entropy)

    @property
    def hint_when_gone(self) -> str:
        """Only the vendor's own service is closed; a relay that speaks its wire format is not."""
        return sunset.hint(self._clock.now()) if is_vendors(self._base_url) else ""

    def prepare(self, call: Call) -> UpstreamRequest:
        base_url = call.account.base_url or self._base_url
        session = self._sessions.session_id(call.account.id)
        model, wish = split_name(call.model)
        row = self.catalog.find(model)
        wire_name = (row.upstream_id or row.id) if row else model
        body = build_body(
            wire_name,
            call.fields,
            is_stream=call.is_stream,
            output_limit=lambda final: self._output_limit(row if final == wire_name else None, final),
            wish=wish,
            default_thinking=self._default_thinking,
            wants_usage=call.wants_usage,
            internal_session=session if _is_internal(base_url) else "",
        )
        conversation = self._sessions.conversation_id(call.account.id, call.conversation)
        return UpstreamRequest(
            url=urls.join(base_url, urls.CHAT),
            headers=self._headers(call.account, session, conversation),
            body=jsonx.encode(body),
            fields=tuple(body),
        )

    def models_request(self, account: Account) -> UpstreamRequest:
        session = self._sessions.session_id(account.id)
        headers = self._headers(account, session, self._sessions.conversation_id(account.id, ""))
        headers.pop("Content-Type", None)
        url = urls.join(account.base_url or self._base_url, urls.MODELS)
        return UpstreamRequest(url=url, headers=headers, method="GET")

    def find_error(self, status: int, headers: Mapping[str, str], body: Json) -> GatewayError | None:
        error = find_error(status, headers, body, now=self._clock.now())
        looks_gone = body is None and status in (200, 301, 302, 303, 307, 308, 404, 410)
        if error is not None and looks_gone and self.hint_when_gone:
            error.hint = self.hint_when_gone
        return error

    def _output_limit(self, asked: Model | None, model: str) -> int:
        """The limit of the row that was asked for; of the final model's own when a rule has changed the name."""
        row = asked or self.catalog.find(model)
        return (row.output_tokens if row else 0) or output_limit(model)

    def _headers(self, account: Account, session: str, conversation: str) -> dict[str, str]:
        """Everything about time and signature is fresh, so a second attempt signs anew."""
        key = account.api_key.reveal().strip() or None
        timestamp = str(int(self._clock.now() * 1000)) if key else None
        values = HeaderValues(
            key=key,
            session=session,
            conversation=conversation,
            timestamp=timestamp,
            signature=sign(key, USER_AGENT, session, timestamp) if key and timestamp else None,
        )
        return overlaid(header_tables.fill(self._rows, values), self._extra_headers)


def is_vendors(base_url: str) -> bool:
    host = _host(base_url)
    return host == VENDOR_DOMAIN or host.endswith(f".{VENDOR_DOMAIN}")


def _is_internal(base_url: str) -> bool:
    host = _host(base_url)
    return any(part in host for part in INTERNAL_HOSTS)


def _host(base_url: str) -> str:
    """Empty for an address that is none, such as a file of accounts may hold."""
    try:
        return urlsplit(base_url).hostname or ""
    except ValueError:
        return ""
