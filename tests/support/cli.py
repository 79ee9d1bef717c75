"""The command line run inside the test, with its own environment and streams: no process, no waiting."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from iflow_cli_proxy.cli.app import main
from iflow_cli_proxy.core import jsonx


@dataclass(frozen=True)
class CliResult:
    """What a shell would have seen."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return jsonx.decode(self.out.encode())


def run_cli(*args: str, env: Mapping[str, str] | None = None, stdin: str = "") -> CliResult:
    """Run `iflow2api ARGS` with no variables of ours but those in `env`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("IFLOW2API_")}
    out, err = _stream(), _stream()
    with (
        patch.dict(os.environ, {**kept, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})}, clear=True),
        patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main(args)
            code = 0
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return CliResult(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    held = stream.buffer
    assert isinstance(held, io.BytesIO)
    return held.getvalue().decode()
