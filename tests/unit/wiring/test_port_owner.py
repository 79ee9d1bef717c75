from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.wiring.port_owner import port_owner

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = (
    "   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc in which process 42, `nginx`, holds the socket 777."""
    files = tmp_path / "42" / "fd"
    files.mkdir(parents=True)
    (files / "3").symlink_to("socket:[777]")
    (tmp_path / "42" / "comm").write_text("nginx\n")
    (tmp_path / "7").mkdir()
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEADING + LINE.format(port=8080, state="0A", inode=777))
    return tmp_path


def test_the_process_that_listens_is_named(proc: Path) -> None:
    assert port_owner(8080, proc) == "nginx (pid 42)"


def test_another_port_has_no_owner(proc: Path) -> None:
    assert port_owner(8081, proc) is None


def test_a_connection_to_the_port_is_no_listener(proc: Path) -> None:
    (proc / "net" / "tcp").write_text(HEADING + LINE.format(port=8080, state="01", inode=777))

    assert port_owner(8080, proc) is None


def test_a_listener_on_ipv6_is_found_too(proc: Path) -> None:
    (proc / "net" / "tcp").rename(proc / "net" / "tcp6")

    assert port_owner(8080, proc) == "nginx (pid 42)"


def test_another_persons_process_stays_unknown(proc: Path) -> None:
    (proc / "42" / "fd" / "3").unlink()

    assert port_owner(8080, proc) is None


def test_without_proc_nobody_knows(tmp_path: Path) -> None:
    assert port_owner(8080, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads the real /proc")
def test_this_very_process_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        assert f"(pid {os.getpid()})" in str(port_owner(held.getsockname()[1]))
