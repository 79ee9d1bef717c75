"""Any upstream that is only a URL and a key: nothing is added that the protocol does not have.

Knows OpenAI's paths and headers and the few facts a preset states. Refuses to know quirks: an upstream that needs one
gets a provider of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers import urls
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.errors import error_from_http
from iflow_cli_proxy.providers.headers import overlaid
from iflow_cli_proxy.providers.presets import Preset
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.transport.base import UpstreamRequest

USER_AGENT: Final = f"iflow2api/{__version__}"
_PATHS: Final = {"openai_chat": urls.CHAT, "openai_embeddings": urls.EMBEDDINGS}
_LIMIT_FIELDS: Final = ("max_completion_tokens", "max_tokens")
_REBUILT: Final = frozenset({"model", "stream", "stream_options", *_LIMIT_FIELDS})


class OpenAICompatible:
    """The Provider port for a base URL."""

    protocol: Final = "openai_chat"
    passes_on: Final = frozenset({"openai_embeddings"})
    default_concurrency: Final = 0
    failing_stop_words: Final = frozenset({"network_error", "error", "abort", "insufficient_system_resource"})
    """Zhipu's, OpenRouter's, vLLM's and DeepSeek's words for an answer that broke off."""
    reuses_call_indexes: Final = False
    support_id_header: Final = "x-request-id"
    hint_when_gone: Final = ""

    def __init__(
        self,
        name: str,
        base_url: str,
        catalog: Catalog,
        *,
        clock: Clock,
        preset: Preset | None = None,
        extra_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.catalog = catalog
        self._base_url = base_url
        self._clock = clock
        preset = preset or Preset()
        self.profile = Profile(openai_words=preset.openai_words)
        self._limit_field = preset.max_tokens_field
        self._extra_headers = overlaid(preset.headers, extra_headers or {})

    def prepare(self, call: Call) -> UpstreamRequest:
        row = self.catalog.find(call.model)
        model = row.upstream_id or row.id if row else call.model
        accept = "text/event-stream" if call.is_stream else "application/json"
        body = self._body(model, call)
        return UpstreamRequest(
            url=urls.join(call.account.base_url or self._base_url, _PATHS[call.protocol]),
            headers=self._headers(call.account, {"Content-Type": "application/json", "Accept": accept}),
            body=jsonx.encode(body),
            fields=tuple(body),
        )

    def models_request(self, account: Account) -> UpstreamRequest:
        url = urls.join(account.base_url or self._base_url, urls.MODELS)
        return UpstreamRequest(url=url, headers=self._headers(account, {"Accept": "application/json"}), method="GET")

    def find_error(self, status: int, headers: Mapping[str, str], body: Json) -> GatewayError | None:
        return error_from_http(status, headers, body, now=self._clock.now())

    def _body(self, model: str, call: Call) -> dict[str, Any]:
        fields = call.fields
        body: dict[str, Any] = {"model": model}
        body.update((name, value) for name, value in fields.items() if name not in _REBUILT)
        limits = [name for name in _LIMIT_FIELDS if name in fields]
        if limits and self._limit_field:
            body[self._limit_field] = fields[limits[0]]
        else:
            body.update((name, fields[name]) for name in limits)
        if call.is_stream:
            body["stream"] = True
            options = _stream_options(fields.get("stream_options"), wants_usage=call.wants_usage)
            if options:
                body["stream_options"] = options
        return body

    def _headers(self, account: Account, own: Mapping[str, str]) -> dict[str, str]:
        headers = {**own, "Accept-Encoding": "identity", "User-Agent": USER_AGENT}
        key = account.api_key.reveal().strip()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return overlaid(headers, self._extra_headers)


def _stream_options(given: Any, *, wants_usage: bool) -> dict[str, Any]:
    given = jsonx.decode(bytes(given)) if isinstance(given, jsonx.Raw) else given
    kept = given if isinstance(given, dict) else {}
    return {**kept, "include_usage": True} if wants_usage else kept
