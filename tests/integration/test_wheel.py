"""The wheel as a stranger gets it: built, installed into an empty environment, and used from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core import jsonx
from tests.support.serving import serving, surroundings

ROOT: Final = Path(__file__).parents[2]
DATA_FILES: Final = {
    "iflow_cli_proxy/providers/iflow/models.toml",
    "iflow_cli_proxy/providers/presets.toml",
    "iflow_cli_proxy/server/admin/static/index.html",
    "iflow_cli_proxy/server/admin/static/views/dashboard.js",
    "iflow_cli_proxy/language/zh.toml",
    "iflow_cli_proxy/py.typed",
    "iflow_cli_proxy/server/openapi/data/openai.json",
    "iflow_cli_proxy/server/openapi/pages/docs.html",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build backend of this environment, so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that holds the wheel and what it asks the registry for."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    found = folder / ("Scripts" if os.name == "nt" else "bin")
    run(str(found / "python"), "-m", "pip", "install", "--quiet", "--no-input", str(wheel), cwd=folder)
    return found


def run(*command: str, cwd: Path) -> str:
    """What a command prints; its complaint when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=surroundings(cwd), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert names >= DATA_FILES
    assert {name.partition("/")[0] for name in names} == {"iflow_cli_proxy", f"iflow2api-{__version__}.dist-info"}


def test_i60_no_pth_file_is_in_the_wheel(wheel: Path) -> None:
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".pth")]


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    files = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "iflow_cli_proxy").rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }

    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_the_installed_command_works_from_another_folder(programs: Path, tmp_path: Path) -> None:
    command, python = str(programs / "iflow2api"), str(programs / "python")

    versions = jsonx.decode(run(command, "version", "--json", cwd=tmp_path).encode())
    where = run(python, "-c", "import iflow_cli_proxy; print(iflow_cli_proxy.__file__)", cwd=tmp_path)

    assert versions["iflow2api"] == __version__
    assert "missing" not in versions.values()
    assert Path(where.strip()).is_relative_to(programs.parent)
    assert "Commands" in run(command, "--help", cwd=tmp_path)
    assert run(python, "-m", "iflow_cli_proxy", "--version", cwd=tmp_path) == f"iflow2api {__version__}\n"

    run(command, "config", "init", cwd=tmp_path)

    assert (tmp_path / "config.toml").is_file()
    run(command, "config", "validate", cwd=tmp_path)


def test_the_installed_demo_streams_an_answer(programs: Path, tmp_path: Path) -> None:
    question = {"model": "glm-4.7", "messages": [{"role": "user", "content": "Hello"}], "stream": True}

    with serving("--demo", home=tmp_path, command=[str(programs / "iflow2api")]) as running:
        request = urllib.request.Request(
            f"{running.url}/v1/chat/completions",
            data=jsonx.encode(question),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            kind = reply.headers["Content-Type"]
            lines = reply.read().decode().splitlines()

    assert kind.startswith("text/event-stream")
    assert lines[-2] == "data: [DONE]"
    assert len([line for line in lines if line.startswith("data: {")]) > 5
