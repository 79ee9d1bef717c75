"""What the environment and the terminal say: proxies, and whether anybody obeys them; the characters that can be shown.

The values of proxy variables may hold passwords, so only their names are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from iflow_cli_proxy.config.schema import Settings, UpstreamSettings
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK: Final = "127.0.0.1"

_finding = partial(Finding, group=Group.ENVIRONMENT)


def examine(machine: Machine, settings: Settings) -> Iterator[Finding]:
    set_here = proxies_in(machine.environ)
    if set_here:
        yield judge_proxies(set_here, settings.upstream)
        if not covers_loopback(machine.environ):
            yield _finding(
                status=Status.WARNING,
                subject="NO_PROXY",
                text=f"does not name {_LOOPBACK}: clients on this machine would ask the proxy for the gateway",
                action="export NO_PROXY=127.0.0.1,localhost",
            )
    if settings.upstream.proxy and not set_here:
        yield _finding(status=Status.OK, subject="upstream.proxy", text="upstreams are called through it")
    if not machine.encoding.lower().replace("-", "").startswith("utf8"):
        yield _finding(
            status=Status.NOTE,
            subject="terminal",
            text=f"shows {machine.encoding}, not UTF-8: no QR codes, and question marks for what it lacks",
            action="export LANG=C.UTF-8",
        )


def proxies_in(environ: Mapping[str, str]) -> list[str]:
    """The proxy variables that are set, as they are spelled."""
    return [name for plain in _PROXIES for name in (plain, plain.lower()) if environ.get(name, "").strip()]


def judge_proxies(names: list[str], upstream: UpstreamSettings) -> Finding:
    are, subject = ("is" if len(names) == 1 else "are"), ", ".join(names)
    if upstream.proxy:
        text = f"{are} set; upstream.proxy is used instead"
        return _finding(status=Status.OK, subject=subject, text=text)
    if upstream.trust_env:
        text = f"{are} set, and upstreams are called through it: upstream.trust_env is true"
        return _finding(status=Status.OK, subject=subject, text=text)
    return _finding(
        status=Status.NOTE,
        subject=subject,
        text=f"{are} set, and upstreams are called without it: upstream.trust_env is false",
        action="iflow2api config set upstream.trust_env true, if there is no other way out",
    )


def covers_loopback(environ: Mapping[str, str]) -> bool:
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return bool(proxy_bypass_environment(_LOOPBACK, {"no": no_proxy}))
