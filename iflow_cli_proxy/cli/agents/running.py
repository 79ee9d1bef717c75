"""An agent as a child of ours: it has the terminal, gets our signals, and its end is ours.

Refuses to know what the agent is and what it is told.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from iflow_cli_proxy.agents.base import Agent
from iflow_cli_proxy.core.errors import ConfigError

_BY_SIGNAL: Final = 128
_FORWARDED: Final = tuple(
    number for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2") if (number := getattr(signal, name, None))
)


def executable(agent: Agent, environ: Mapping[str, str]) -> str:
    """Where the agent's program is; "" when it is not installed."""
    return shutil.which(agent.program, path=environ.get("PATH", "")) or ""


def installed(agent: Agent, environ: Mapping[str, str]) -> str:
    """Where the agent's program is. Raises ConfigError with the command that installs it."""
    found = executable(agent, environ)
    if not found:
        raise ConfigError(
            f"{agent.title} is not installed: there is no `{agent.program}` on the PATH.",
            hint=f"`npm install -g {agent.package}` installs it",
        )
    return found


def run_agent(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it to its end; the exit code is the agent's own, or 128 and the number of the signal that ended it."""
    with _signals() as listeners:
        try:
            process = subprocess.Popen(list(command), env=dict(environ))
        except OSError as error:
            raise ConfigError(
                f"The agent could not be started: {error.strerror}.", detail=command[0], hint="install it again"
            ) from error
        listeners.append(process)
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    return code if code >= 0 else _BY_SIGNAL - code


@contextmanager
def _signals() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Signals for us go to the agent. Ctrl-C at a terminal has reached it already: twice would mean something else."""
    listeners: list[subprocess.Popen[bytes]] = []
    has_terminal = sys.stdin is not None and sys.stdin.isatty()

    def forward(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and (has_terminal or os.name != "posix"):
            return
        for process in listeners:
            process.send_signal(number)

    # A handler, not SIG_IGN, which the agent would inherit; what is ignored already (nohup) stays so.
    heard = (number for number in (signal.SIGINT, *_FORWARDED) if signal.getsignal(number) is not signal.SIG_IGN)
    before = {number: signal.signal(number, forward) for number in heard}
    try:
        yield listeners
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
