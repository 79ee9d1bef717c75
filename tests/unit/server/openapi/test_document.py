from __future__ import annotations

import subprocess
import sys

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.openapi.document import FILES, build, document, read


def test_it_is_built_once_and_is_the_same_every_time() -> None:
    assert document() is document()
    assert document().body == jsonx.encode(build())


def test_every_file_is_shown_under_its_own_tag() -> None:
    found = build()
    assert [tag["name"] for tag in found["tags"]] == [read(name)["tag"]["name"] for name in FILES]


def test_a_server_that_nobody_asks_reads_nothing_of_it() -> None:
    script = (
        "import sys, iflow_cli_proxy.server.run;"
        "sys.exit(any(name.startswith('iflow_cli_proxy.server.openapi') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
