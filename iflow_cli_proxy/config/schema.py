"""Every setting there is: one tree of frozen dataclasses, its defaults, and one line of help for each leaf.

This is the one place where a setting is written down; the loader, `config init`, `config show` and the tables of the
README are derived from it. Refuses to know where values come from (`load.py`) and what they do.
"""

# ruff: noqa: RUF009 -- `leaf()` stands in for `dataclasses.field()`, which that rule knows
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeAlias

from iflow_cli_proxy.config import checks
from iflow_cli_proxy.config.leaf import leaf
from iflow_cli_proxy.core.secret import Secret

WhenFull: TypeAlias = Literal["fail_open", "fail_closed"]
TransportName: TypeAlias = Literal["auto", "plain", "mimic"]
Strategy: TypeAlias = Literal["least_busy", "round_robin", "weighted", "fill_first", "sticky"]
UnknownModels: TypeAlias = Literal["pass", "reject"]
KeysRequired: TypeAlias = Literal["auto", "always", "never"]
Thinking: TypeAlias = Literal["auto", "on", "off"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "human", "json"]
HeaderSet: TypeAlias = Literal["aligned", "minimal"]
Encryption: TypeAlias = Literal["none", "keyring", "passphrase"]

_DAY_S: Final = 86_400.0
_SHORTEST_S: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where the gateway listens and what it takes in."""

    host: str = leaf(
        "127.0.0.1", "Address to listen on; any other than loopback asks for client keys.", check=checks.host,
        needs_restart=True,
    )  # fmt: skip
    port: int = leaf(28000, "Port to listen on; 0 takes a free one.", low=0, high=65_535, needs_restart=True)
    workers: int = leaf(1, "Processes that share the address.", low=1, high=256, needs_restart=True)
    max_body_bytes: int = leaf(10_485_760, "Largest request body; larger ones get 413.", low=1024, high=1 << 31)
    head_timeout_s: float = leaf(10.0, "Time for a client to send its request head.", low=_SHORTEST_S, high=_DAY_S)
    body_timeout_s: float = leaf(30.0, "Time for a client to send its whole body.", low=_SHORTEST_S, high=_DAY_S)
    write_timeout_s: float = leaf(
        60.0, "Time a client may take nothing of its answer before it is cut off.", low=_SHORTEST_S, high=_DAY_S
    )
    keepalive_s: float = leaf(15.0, "Silence before a ping in the client's protocol.", low=_SHORTEST_S, high=_DAY_S)
    drain_s: float = leaf(30.0, "Time for running answers to end after SIGTERM.", low=0, high=_DAY_S)
    drain_delay_s: float = leaf(
        0.0, "Wait between saying not ready and closing the port, for load balancers.", low=0, high=300
    )
    max_in_flight: int = leaf(0, "Requests at one time, then 503; 0: no limit.", low=0)
    max_connections_per_ip: int = leaf(4096, "Open connections from one address; 0: no limit.", low=0)
    access_log: bool = leaf(True, "One log line for each request.")
    response_headers: bool = leaf(True, "Name account, route and attempts in x-iflow2api-* headers.")


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    """Who may call the gateway."""

    required: KeysRequired = leaf("auto", "Ask for a client key; auto: on any address but loopback.")
    accept_account_ids: bool = leaf(False, "Take an account's id for a client key, as iflow-go did.")
    client_keys: tuple[Secret, ...] = leaf(
        (), "Client keys in clear, for containers; IFLOW2API_CLIENT_KEY sets them, separated by commas.",
        check=checks.no_empty_items, example='["sk-my-own-key"]',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The page at /admin."""

    enabled: bool = leaf(True, "false: nothing is there.")
    hosts: tuple[str, ...] = leaf(
        (), "Names it is called by besides localhost and addresses, such as behind a TLS proxy.",
        check=checks.host_names, example='["gateway.example.com"]',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings:
    """How upstreams are called; each of these may stand in a [providers.NAME] table too."""

    transport: TransportName = leaf(
        "auto", "HTTP client; mimic shows a browser's handshake, auto is plain unless the provider prefers mimic."
    )
    impersonate: str = leaf("chrome124", "Browser whose handshake mimic shows.", check=checks.not_empty)
    proxy: str = leaf(
        "", "Proxy for upstream calls: http://, https://, socks5:// or socks5h://.", check=checks.proxy_url,
        is_url=True, example='"socks5h://127.0.0.1:1080"',
    )  # fmt: skip
    trust_env: bool = leaf(False, "Obey HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.")
    ca_file: str = leaf(
        "", "PEM file of the authorities to trust instead of the usual ones.", example='"/etc/ssl/company.pem"'
    )
    connect_timeout_s: float = leaf(5.0, "Time to connect, TLS included.", low=_SHORTEST_S, high=_DAY_S)
    first_byte_timeout_s: float = leaf(120.0, "Time to headers and first event.", low=_SHORTEST_S, high=_DAY_S)
    idle_timeout_s: float = leaf(60.0, "Silence between any two reads.", low=_SHORTEST_S, high=_DAY_S)
    content_timeout_s: float = leaf(
        180.0, "Time between two events that carry content; pings do not count.", low=_SHORTEST_S, high=_DAY_S
    )
    total_timeout_s: float = leaf(1800.0, "Time for a whole streamed answer.", low=_SHORTEST_S, high=_DAY_S)
    json_total_timeout_s: float = leaf(600.0, "Time for a whole JSON answer.", low=_SHORTEST_S, high=_DAY_S)


@dataclass(frozen=True, kw_only=True)
class RoutingSettings:
    """Which provider and account answer for a model."""

    strategy: Strategy = leaf("least_busy", "How an account is picked.")
    weights: Mapping[str, float] = leaf(
        {}, "For the strategy weighted, by globs over provider/label; 1 where nothing is said.", low=0,
        example='{ "iflow/work" = 3 }',
    )  # fmt: skip
    default_provider: str = leaf("", "Provider for models nobody lists; empty: the first enabled one.")
    unknown_models: UnknownModels = leaf("pass", "pass: to the default provider; reject: 404 at once.")
    fallbacks: Mapping[str, tuple[str, ...]] = leaf(
        {}, "What to try next when a model fails.", check=checks.chains,
        example='{ "glm-5" = ["glm-4.7", "openrouter/z-ai/glm-4.7"] }',
    )  # fmt: skip
    sticky_ttl_s: float = leaf(
        3600.0, "How long a conversation stays on its account (strategy sticky).", low=1, high=30 * _DAY_S
    )
    queue_timeout_s: float = leaf(
        30.0, "Time a request waits for a free account, then 503.", low=_SHORTEST_S, high=_DAY_S
    )
    queue_places: int = leaf(100, "Requests that may wait at one time; 0: nobody waits.", low=0, high=100_000)


@dataclass(frozen=True, kw_only=True)
class ResilienceSettings:
    """When to try again and when to let an account rest."""

    failure_threshold: int = leaf(3, "Failures in a row before an account rests.", low=1, high=1000)
    cool_down_s: float = leaf(30.0, "How long it rests.", low=0, high=_DAY_S)
    longest_rest_s: float = leaf(3600.0, "Longest rest that a provider's hint may ask for.", low=1, high=7 * _DAY_S)
    retry_attempts: int = leaf(1, "Further tries on the same account.", low=0, high=10)
    max_attempts: int = leaf(3, "Tries for one request in all.", low=1, high=10)
    retry_backoff_ms: int = leaf(200, "Base of the random wait before a try on the same account.", low=0, high=60_000)
    retry_status_codes: tuple[int, ...] = leaf(
        (429, 500, 502, 503, 504), "Upstream statuses worth another try.", check=checks.status_codes
    )
    retry_ambiguous: bool = leaf(True, "Try again when the upstream may have done the work unseen.")


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """Accounts that belong together, for client keys and strategies of their own."""

    accounts: tuple[str, ...] = leaf(
        (), "Globs over provider/label.", check=checks.no_empty_items, example='["iflow/*", "qwen/work"]'
    )
    strategy: Literal[Strategy, ""] = leaf("", "How one of them is picked; empty: as [routing] says.")
    weights: Mapping[str, float] = leaf(
        {}, "For the strategy weighted, by the same globs; as [routing] weights says where nothing is said.", low=0,
        example='{ "iflow/work" = 3 }',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConveniencesSettings:
    """Help that changes what is sent or answered; each is off or harmless unless asked for."""

    auto_continue: bool = leaf(False, "Ask on when an answer stops at a length limit nobody set.")
    continue_times: int = leaf(5, "How often at most.", low=1, high=20)
    compress_context: bool = leaf(False, "Drop the oldest rounds when a prompt is too long for its model.")
    keep_rounds: int = leaf(10, "Rounds that are always kept.", low=1, high=1000)
    repair_messages: bool = leaf(True, "Mend what upstreams refuse: tool calls without results, results without calls.")
    vision_model: str = leaf(
        "", "Describes images for models that see none; empty: nobody does.", example='"qwen3-vl-plus"'
    )
    fetch_images: bool = leaf(False, "Fetch image URLs for upstreams that take only data.")


@dataclass(frozen=True, kw_only=True)
class ParameterRules:
    """What is done to the request parameters of the models a glob names."""

    default: Mapping[str, object] = leaf({}, "Set when the request is silent.", example="{ temperature = 0.7 }")
    override: Mapping[str, object] = leaf({}, "Set whatever the request says.", example="{ top_p = 0.95 }")
    remove: tuple[str, ...] = leaf((), "Taken out of the request.", example='["logprobs"]')


@dataclass(frozen=True, kw_only=True)
class ModelsSettings:
    """Names and parameters of models."""

    aliases: Mapping[str, str] = leaf(
        {}, "Other names for models; globs are allowed on the left.", check=checks.no_empty_values,
        example='{ "claude-*" = "glm-5" }',
    )  # fmt: skip
    parameters: Mapping[str, ParameterRules] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReasoningSettings:
    """What becomes of a model's thinking text."""

    preserve: bool = leaf(True, "Give thinking as reasoning_content; false: merge it into the text.")
    thinking: Thinking = leaf("auto", "Whether a model thinks when the request does not say; auto: the model's habit.")


@dataclass(frozen=True, kw_only=True)
class LoggingSettings:
    """What is written about the gateway's work."""

    level: LogLevel = leaf("info", "Least important lines to write.")
    format: LogFormat = leaf("auto", "auto: human on a terminal, else json.", needs_restart=True)
    file: str = leaf(
        "", "File to write to besides standard error.", example='"/var/log/iflow2api.log"', needs_restart=True
    )
    max_bytes: int = leaf(10_485_760, "Size at which the file is rotated.", low=4096, needs_restart=True)
    files: int = leaf(5, "Rotated files to keep.", low=0, high=1000, needs_restart=True)
    bodies: str = leaf(
        "", "Folder for what was said, a file for each request, while the level is debug; the last 200 stay, secrets "
        "are masked.", example='"/tmp/iflow2api-bodies"',
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LedgerSettings:
    """The record of every exchange, for `iflow2api usage` and the budgets of keys."""

    enabled: bool = leaf(
        True, "Record exchanges: who, which model, how many tokens; no words of them.", needs_restart=True
    )
    retention_days: float = leaf(
        90.0,
        "How long rows are kept; 0: for ever. What keys used in the running month stays.",
        low=0,
        high=36_500,
    )
    max_mb: int = leaf(512, "Size of the file at which the oldest rows go, likewise; 0: no limit.", low=0, high=1 << 20)
    on_full: WhenFull = leaf(
        "fail_open", "When rows cannot be written for long: fail_open serves on unrecorded, fail_closed answers 503."
    )


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """What Prometheus may read at /metrics."""

    enabled: bool = leaf(True, "Count requests, and tell at /metrics.")
    open: bool = leaf(False, "Show them without a client key; they tell no secret, but accounts, models and traffic.")
    by_key: bool = leaf(False, "Count requests, tokens and cost for each client key too.", needs_restart=True)


@dataclass(frozen=True, kw_only=True)
class TracingSettings:
    """Spans for an OpenTelemetry collector; they hold no words of a conversation."""

    enabled: bool = leaf(False, "Send a span for each question and try; takes the extra `otel`.", needs_restart=True)
    endpoint: str = leaf(
        "http://127.0.0.1:4318", "Where the collector takes OTLP by HTTP.", check=checks.collector_url, is_url=True,
        needs_restart=True,
    )  # fmt: skip
    headers: Mapping[str, str] = leaf(
        {}, "Headers the collector wants.", check=checks.headers, hides_values=True, needs_restart=True,
        example='{ "authorization" = "Basic dXNlcjpwYXNz" }',
    )  # fmt: skip
    service_name: str = leaf("iflow2api", "What the collector knows us by.", check=checks.not_empty, needs_restart=True)
    sample_ratio: float = leaf(
        1.0, "Share of the questions that is traced where the client's own trace does not decide it.", low=0, high=1,
        needs_restart=True,
    )  # fmt: skip
    propagate: bool = leaf(False, "Tell upstreams the trace too (traceparent).", needs_restart=True)


@dataclass(frozen=True, kw_only=True)
class RecorderSettings:
    """How each exchange went, kept beside its row in the ledger: routes, attempts, times, headers without secrets."""

    enabled: bool = leaf(True, "Record how each exchange went; no words of it, see `contents`.")
    contents: bool = leaf(
        False, "Keep what was said too: the bodies of both sides, secrets masked; `iflow2api replay` needs them."
    )
    good_per_s: int = leaf(
        50, "Good exchanges recorded in one second; of those with trouble ten times as many. 0: all.", low=0,
        high=1_000_000,
    )  # fmt: skip
    max_body_bytes: int = leaf(262_144, "Kept of each body; the rest is cut.", low=1024, high=1 << 26)
    max_mb: int = leaf(64, "Size of all of it at which the oldest goes; 0: no limit.", low=0, high=1 << 20)


@dataclass(frozen=True, kw_only=True)
class SecuritySettings:
    """How credentials are kept on this machine."""

    encrypt: Encryption = leaf(
        "none", "How stored credentials are encrypted; keyring and passphrase take the extra `secure`.",
        needs_restart=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """A sign-in by OAuth; for iflow and qwen only what differs from the vendor's own."""

    authorize_url: str = leaf(
        "", "Page where a browser signs in (authorization code).", check=checks.http_url_or_empty, is_url=True,
        example='"https://id.example.com/authorize"',
    )  # fmt: skip
    device_url: str = leaf(
        "", "Where a device code is asked for (RFC 8628).", check=checks.http_url_or_empty, is_url=True,
        example='"https://id.example.com/device/code"',
    )  # fmt: skip
    token_url: str = leaf(
        "", "Where codes and refresh tokens become tokens.", check=checks.http_url_or_empty, is_url=True,
        example='"https://id.example.com/token"',
    )  # fmt: skip
    userinfo_url: str = leaf(
        "", "iflow: where the access token becomes an API key.", check=checks.http_url_or_empty, is_url=True
    )
    client_id: str = leaf("", "Our name at that server.", example='"my-client"')
    client_secret: Secret = leaf(Secret(), "Its secret, if it has one.")
    client_secret_env: str = leaf("", "Environment variable that holds the secret.", example='"DESK_CLIENT_SECRET"')
    scope: str = leaf("", "Scopes to ask for, separated by blanks.", example='"openid offline_access"')
    pkce: bool = leaf(True, "Send a PKCE challenge (RFC 7636); iflow's own server knows none.")
    redirect_host: str = leaf("", "Name in the redirect address: 127.0.0.1 or localhost.", example='"localhost"')
    redirect_port: int = leaf(
        0, "Port to listen on for the redirect; 0, or a taken one: any free port.", low=0, high=65_535
    )
    redirect_path: str = leaf("", "Path of the redirect address.", example='"/callback"')
    refresh_ahead_s: float = leaf(
        0.0, "Refresh this long before a token ends; 0: as the provider's kind does.", low=0, high=30 * _DAY_S
    )


@dataclass(frozen=True, kw_only=True)
class ProviderSettings(UpstreamSettings):
    """A service to call. Where its table is silent on a leaf of [upstream], the value there holds."""

    kind: str = leaf(
        "", "iflow, qwen, openai_compatible or a preset such as deepseek; empty: the table's name if it is one.",
        check=checks.name_or_empty, example='"openai_compatible"',
    )  # fmt: skip
    enabled: bool = leaf(True, "false: as if the table were not there.")
    base_url: str = leaf(
        "", "Where its API begins; empty: the preset's own.", check=checks.http_url_or_empty, is_url=True,
        example='"http://127.0.0.1:9801/v1"',
    )  # fmt: skip
    api_key_env: str = leaf("", "Environment variable that holds the key.", example='"DESK_KEY"')
    api_key: Secret = leaf(Secret(), "The key itself; `api_key_env` or a sign-in keeps it out of this file.")
    headers: HeaderSet | Mapping[str, str] = leaf(
        {}, "Extra headers as a table; for iflow also aligned (the default) or minimal.", check=checks.headers,
        hides_values=True, example='{ "x-team" = "docs" }',
    )  # fmt: skip
    models: tuple[str, ...] = leaf(
        (), "Models it serves besides those it lists itself.", check=checks.no_empty_items, example='["glm-5"]'
    )
    concurrency: int = leaf(0, "Requests at one time on each account; 0: the provider's own limit.", low=0)
    rpm: int = leaf(0, "Requests a minute on each account; 0: as learned from the upstream.", low=0)
    tpm: int = leaf(0, "Tokens a minute on each account; 0: as learned from the upstream.", low=0)
    telemetry: bool = leaf(
        False, "iflow: send the vendor's client telemetry, with true values only.", is_in_effect=False
    )
    oauth: OAuthSettings = field(default_factory=OAuthSettings)

    @property
    def header_set(self) -> HeaderSet:
        """Which of iFlow's header tables is sent."""
        return self.headers if isinstance(self.headers, str) else "aligned"

    @property
    def extra_headers(self) -> Mapping[str, str]:
        """Headers the person added."""
        return {} if isinstance(self.headers, str) else self.headers


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole tree, never changed after it is built."""

    server: ServerSettings = field(default_factory=ServerSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    upstream: UpstreamSettings = field(default_factory=UpstreamSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    resilience: ResilienceSettings = field(default_factory=ResilienceSettings)
    models: ModelsSettings = field(default_factory=ModelsSettings)
    reasoning: ReasoningSettings = field(default_factory=ReasoningSettings)
    conveniences: ConveniencesSettings = field(default_factory=ConveniencesSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    security: SecuritySettings = field(default_factory=SecuritySettings)
    pools: Mapping[str, PoolSettings] = field(default_factory=dict)
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)


def upstream_leaves(upstream: UpstreamSettings) -> dict[str, Any]:
    """What a provider takes from [upstream] where its own table is silent."""
    return {member.name: getattr(upstream, member.name) for member in fields(UpstreamSettings)}
