"""Opening a page in the person's browser, if it is one that may be opened.

Knows how to start a browser that leaves the terminal alone. Refuses to know what is signed in to.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from threading import Thread
from typing import Final

from iflow_cli_proxy.providers.safe_url import is_safe

_WSL_OPENER: Final = "wslview"


def open_page(url: str, environ: Mapping[str, str], *, is_wsl: bool = False) -> None:
    """Try to, unless somebody could read along (RELIABILITY I54). What comes of it is not known.

    Not `webbrowser.open` in this process: it may wait for a text browser that takes the terminal, and graphical ones
    write their complaints to it.
    """
    if not is_safe(url):
        return
    command = [sys.executable, "-I", "-m", "webbrowser", url]
    if is_wsl and not environ.get("BROWSER") and (opener := shutil.which(_WSL_OPENER, path=environ.get("PATH"))):
        command = [opener, url]
    try:
        opening = subprocess.Popen(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return
    Thread(target=opening.wait, daemon=True).start()
