"""A gateway and a machine as agents are told about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from iflow_cli_proxy.agents.base import GatewayModel, Scene, Target

BIG = GatewayModel(id="glm-5", context_tokens=170_000, output_tokens=8_000, has_vision=True, thinks=True)
SMALL = GatewayModel(id="glm-4.7")
URL = "http://127.0.0.1:28000"


def goal(*, key: str = "any", big: GatewayModel = BIG) -> Target:
    return Target(url=URL, key=key, big=big, small=SMALL, models=(big, SMALL))


def scene(files: Mapping[Path, str] | None = None, **environ: str) -> Scene:
    """A machine with these files and no others."""
    known = files or {}
    return Scene(
        home=Path("/home/me"),
        environ=environ,
        platform="linux",
        folder=Path("/run/launch"),
        session="launch-1",
        read=known.get,
    )
