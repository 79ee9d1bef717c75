"""The rows of `models`, gathered. Imported only by commands that list models."""

from __future__ import annotations

from dataclasses import dataclass

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.wiring import Services


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One model as `models --json` shows it; token counts are 0 where nobody knows."""

    id: str
    provider: str
    context_window: int
    max_output_tokens: int
    vision: bool
    thinking: str


async def find_models(
    session: Session, provider: str, upstream: str, *, asks_upstreams: bool
) -> tuple[list[ModelRow], list[str]]:
    """The rows, and a sentence for each upstream that could not be asked. Raises ConfigError."""
    settings, _ = session.load()
    if upstream:
        settings = with_upstream(settings, upstream, session.environ.get("IFLOW2API_UPSTREAM_API_KEY", ""))
    services = Services(Live(settings), session.paths(), session.environ)
    try:
        known = services.wired.gateway.upstreams
        if provider and provider not in known:
            raise ConfigError(
                f"There is no provider called {provider!r}.", param="--provider", hint=f"known: {', '.join(known)}"
            )
        outcome = await services.list_upstream_models() if asks_upstreams else {}
        problems = [f"{name}: {error.message}" for name, error in outcome.items() if error is not None]
        rows = [
            ModelRow(
                id=model.id,
                provider=name,
                context_window=model.context_tokens,
                max_output_tokens=model.output_tokens,
                vision=model.has_vision,
                thinking=model.thinking,
            )
            for name, one in known.items()
            if not provider or name == provider
            for model in one.provider.catalog.listed()
        ]
        return rows, problems
    finally:
        await services.aclose()
