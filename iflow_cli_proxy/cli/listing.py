"""The rows of `models`, gathered. Imported only by commands that list models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iflow_cli_proxy.cli.output import ExitCode, say
from iflow_cli_proxy.cli.passphrase import asker
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.state.profiles import list_profiles
from iflow_cli_proxy.wiring.services import Services


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One model as `models --json` shows it; token counts are 0 where nobody knows."""

    id: str
    provider: str
    context_window: int
    max_output_tokens: int
    vision: bool
    thinking: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why one provider's own list is missing."""

    provider: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is known, and what could not be found out."""

    rows: list[ModelRow]
    problems: list[Problem]
    asked: int
    """How many upstreams were asked."""

    @property
    def exit_code(self) -> ExitCode:
        if not self.problems:
            return ExitCode.OK
        return ExitCode.FAILED if len(self.problems) == self.asked else ExitCode.PARTLY_FAILED


def open_services(session: Session, upstream: str) -> Services:
    """Everything `serve` would have, `upstream` as for `serve --upstream`; to be closed where it is used.

    Raises:
        ConfigError: the settings are wrong.
    """
    settings, _ = session.load()
    if upstream:
        settings = with_upstream(settings, upstream, session.environ.get("IFLOW2API_UPSTREAM_API_KEY", ""))
    return Services(Live(settings), session.paths(), session.environ, ask=asker())


def problems_in(asked: Mapping[str, GatewayError | None]) -> list[Problem]:
    """What went wrong with those that were asked."""
    return [
        Problem(provider=name, message=error.message, hint=error.hint)
        for name, error in asked.items()
        if error is not None
    ]


def say_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        say(f"{problem.provider}: {problem.message}", "yellow")
        if problem.hint:
            say(f"Hint: {problem.hint}", "cyan")


def probed(session: Session, rows: Iterable[ModelRow]) -> dict[str, dict[str, Json]]:
    """What `upstream probe` found out about the providers of these rows."""
    providers = {row.provider for row in rows}
    return {
        kept.provider: {"model": kept.model, "probed_at": kept.probed_at, **jsonx.to_builtins(kept.profile)}
        for kept in list_profiles(session.paths().profiles_dir)
        if kept.provider in providers
    }


def say_probed(profiles: Mapping[str, Mapping[str, Json]]) -> None:
    """One line for each provider that was probed: what it has and what it lacks."""
    for provider, profile in profiles.items():
        has = [name.replace("_", " ") for name, value in profile.items() if value is True]
        lacks = [name.replace("_", " ") for name, value in profile.items() if value is False]
        told = f"has {', '.join(has) or 'nothing of note'}" + (f"; lacks {', '.join(lacks)}" if lacks else "")
        say(f"{provider} (probed {str(profile['probed_at'])[:10]}) {told}.", "dim")


async def find_models(session: Session, provider: str, upstream: str, *, asks_upstreams: bool) -> Listing:
    """The models of one provider, or of all when none is named. Raises ConfigError."""
    services = open_services(session, upstream)
    try:
        known = services.wired.gateway.upstreams
        if provider and provider not in known:
            raise ConfigError(
                f"There is no provider called {provider!r}.", param="--provider", hint=f"known: {', '.join(known)}"
            )
        outcome = await services.list_upstream_models() if asks_upstreams else {}
        asked = {name: error for name, error in outcome.items() if provider in ("", name)}
        problems = problems_in(asked)
        rows = [
            ModelRow(
                id=model.id,
                provider=name,
                context_window=model.context_tokens,
                max_output_tokens=model.output_tokens,
                vision=model.has_vision is True,
                thinking=model.thinking,
            )
            for name, one in services.wired.gateway.upstreams.items()
            if provider in ("", name)
            for model in one.provider.catalog.listed()
        ]
        return Listing(rows=rows, problems=problems, asked=len(asked))
    finally:
        await services.aclose()
