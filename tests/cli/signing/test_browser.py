"""Which pages are opened, and that opening one disturbs nobody."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.signing.browser import open_page
from tests.support.patience import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand in for browsers")


@pytest.mark.parametrize("url", ["", "http://iflow.cn/", "file:///etc/passwd", "javascript:alert(1)", "-https://a.b/"])
def test_i54_a_page_that_is_not_safe_is_not_handed_to_a_browser(url: str, tmp_path: Path) -> None:
    around = environ(tmp_path)
    open_page(url, around)
    open_page("https://iflow.cn/", around)
    while not (tmp_path / "opened").exists():
        time.sleep(0.005)
    assert (tmp_path / "count").read_text() == "once\n"


def environ(folder: Path, name: str = "browser", *, is_named: bool = True) -> dict[str, str]:
    """An environment in which the browser writes its last argument to a file, and noise to its terminal."""
    script = folder / name
    script.write_text(
        f"#!/bin/sh\necho noise; echo noise >&2\necho once >> {folder}/count\nfor last; do :; done\n"
        f'echo "$last" > {folder}/part\n'
        f"mv {folder}/part {folder}/opened\n"
    )
    script.chmod(0o700)
    named = {"BROWSER": f"{script} %s"} if is_named else {}
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "BROWSER": "", **named}


async def test_a_page_is_opened_in_the_background_without_noise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    open_page("https://iflow.cn/oauth?a=b&c=d", environ(tmp_path))

    await until((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text() == "https://iflow.cn/oauth?a=b&c=d\n"
    assert capfd.readouterr() == ("", "")


async def test_wsl_opens_the_browser_of_windows(tmp_path: Path) -> None:
    open_page("https://iflow.cn/", environ(tmp_path, "wslview", is_named=False), is_wsl=True)

    await until((tmp_path / "opened").exists)


def test_a_browser_that_cannot_be_started_is_no_error(tmp_path: Path) -> None:
    broken = tmp_path / "wslview"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o700)
    open_page("https://iflow.cn/", {"PATH": str(tmp_path)}, is_wsl=True)
