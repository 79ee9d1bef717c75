"""The shell of the command line: start-up cost, exit codes, global options. Some of it only a real process can show."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from iflow_cli_proxy import __version__
from tests.support.cli import run_cli

HEAVY = ("aiohttp", "curl_cffi", "asyncio", "ssl", "platformdirs")


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "iflow_cli_proxy", *args]


def test_a_start_is_not_spent_on_looking_for_garbage() -> None:
    script = (
        "import gc, sys\n"
        "from iflow_cli_proxy.cli.app import main\n"
        "sys.argv = ['iflow2api', 'version']\n"
        "before = gc.get_stats()[2]['collections']\n"
        "try: main()\n"
        "except SystemExit as leaving: assert not leaving.code\n"
        "print(gc.isenabled(), gc.get_stats()[2]['collections'] - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.splitlines()[-1] == "True 0"


@pytest.mark.parametrize("args", [["--help"], ["config", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    script = (
        "import sys\n"
        "from iflow_cli_proxy.cli.app import main\n"
        f"try: main({args!r})\n"
        "except SystemExit as leaving: assert not leaving.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert done.stderr.strip() == "[]"


def test_importing_the_package_costs_nothing() -> None:
    script = "import sys; before = set(sys.modules); import iflow_cli_proxy; print(set(sys.modules) - before)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout.strip() == "{'iflow_cli_proxy'}"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(command("--version"), capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == f"iflow2api {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell that closes streams")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("args", "code"), [(("token", "list"), 0), (("token", "show", "nobody"), 2)], ids=["well", "not"]
)
def test_streams_that_were_closed_before_it_began_cause_no_traceback(
    args: tuple[str, ...], code: int, closed: str, tmp_path: Path
) -> None:
    env = {**os.environ, "IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path), "DEEPSEEK_API_KEY": "sk-1"}
    (tmp_path / "config.toml").write_text("[providers.deepseek]\n")
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(*args)]

    done = subprocess.run(shell, capture_output=True, text=True, timeout=30, check=False, env=env)

    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_no_arguments_show_the_help() -> None:
    done = run_cli()

    assert "Commands" in done.out + done.err


@pytest.mark.parametrize("args", [["nonsense"], ["--nonsense"], ["config", "get"], ["completion"]], ids=" ".join)
def test_wrong_usage_leaves_with_2(args: list[str]) -> None:
    done = run_cli(*args)

    assert done.code == 2
    assert done.out == ""
    assert done.err


def test_an_error_leaves_with_1_and_tells_what_and_what_next_on_stderr(tmp_path: Path) -> None:
    done = run_cli("config", "show", env={"IFLOW2API_HOME": str(tmp_path), "IFLOW2API_SERVER_PORT": "many"})

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "Error: IFLOW2API_SERVER_PORT: server.port takes a whole number between 0 and 65535",
        "Hint: correct it, then `iflow2api config validate`",
    ]


def test_the_config_file_may_be_named_before_and_after_the_command_or_by_a_variable(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("[server]\nport = 1\n")
    two.write_text("[server]\nport = 2\n")
    env = {"IFLOW2API_HOME": str(tmp_path)}

    def port(*args: str, **more: str) -> str:
        return run_cli(*args, env={**env, **more}).out.strip()

    assert port("--config", str(one), "config", "get", "server.port") == "1"
    assert port("config", "get", "server.port", "--config", str(one)) == "1"
    assert port("--config", str(one), "config", "get", "server.port", "--config", str(two)) == "2"
    assert port("config", "get", "server.port", IFLOW2API_CONFIG=str(two)) == "2"
    assert port("--config", str(one), "config", "get", "server.port", IFLOW2API_CONFIG=str(two)) == "1"


def test_a_config_file_named_by_hand_must_exist(tmp_path: Path) -> None:
    done = run_cli("--config", str(tmp_path / "none.toml"), "config", "show", env={"IFLOW2API_HOME": str(tmp_path)})

    assert done.code == 1
    assert "there is no such file" in done.err


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_a_reader_that_leaves_early_brings_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command("config", "show"),
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "IFLOW2API_HOME": str(tmp_path)},
        )
    finally:
        os.close(write)

    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("args", [["config", "show"], ["--version"], ["models", "--json"]], ids=" ".join)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(tmp_path: Path, args: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*args),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path)},
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: The output could not be written: No space left on device."
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc to know when to interrupt")
def test_an_interrupt_leaves_with_130_and_no_traceback(tmp_path: Path) -> None:
    running = subprocess.Popen(
        command("config", "set", "routing.default_provider"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "IFLOW2API_HOME": str(tmp_path)},
        # Whoever runs the tests in the background of a shell has it ignored, and a child inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until_it_reads(running.pid)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()

    assert running.returncode == 130
    assert "Traceback" not in err


def wait_until_it_reads(pid: int) -> None:
    """Until the process has loaded everything and waits for its input."""
    for _ in range(1000):
        if "pipe" in Path(f"/proc/{pid}/wchan").read_text():
            return
        time.sleep(0.01)
    raise TimeoutError("the command never asked for its input")


def test_output_survives_a_terminal_that_does_not_know_every_character(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.desk]\napi_key = "sk-0123456789abcdef"\n')

    done = subprocess.run(
        command("config", "get", "providers.desk.api_key"),
        capture_output=True,
        timeout=30,
        check=True,
        env={**os.environ, "IFLOW2API_HOME": str(tmp_path), "PYTHONIOENCODING": "latin-1"},
    )

    assert done.stdout == b"sk-?cdef\n"
