"""As much of a gateway as commands ask: health, a list of models and the live snapshot, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from iflow_cli_proxy.core import jsonx

MODELS: Final = {
    "data": [
        {"id": "glm-5", "context_window": 170000, "max_output_tokens": 32000, "vision": True, "thinking": "switchable"},
        {"id": "tiny", "thinking": "no"},
    ]
}


@dataclass
class SmallGateway:
    url: str = ""
    wanted_key: str = ""
    """Without it the list is refused; empty: nobody is asked for one."""
    health: bytes = b'{"status":"ok","version":"1"}'
    models: bytes = jsonx.encode(MODELS)
    live: bytes = b"{}"
    live_status: int = 200
    live_place: str = ""
    """Where the snapshot is said to be instead."""
    drips: bool = False
    """The snapshot comes byte by byte, without an end."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Cleared, it hangs with the next question for the snapshot."""
    keys: list[str] = field(default_factory=list)
    """That were shown to the list or the snapshot."""


@contextmanager
def small_gateway(gateway: SmallGateway | None = None) -> Iterator[SmallGateway]:
    """One that answers until the end of the block."""
    told = gateway or SmallGateway()
    told.may_answer.set()
    has_ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, told.health)
                return
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            told.keys.append(key)
            if told.wanted_key and key != told.wanted_key:
                self._answer(401, b"{}")
            elif self.path == "/debug/live":
                told.may_answer.wait(30)
                self._show()
            else:
                self._answer(200, told.models)

        def _show(self) -> None:
            if told.drips:
                self._drip()
            else:
                self._answer(302 if told.live_place else told.live_status, told.live)

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "1000000")
            self.end_headers()
            with suppress(OSError):  # until nobody listens any more
                while not has_ended.wait(0.01):
                    self.wfile.write(b" ")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if told.live_place:
                self.send_header("location", told.live_place)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        has_ended.set()
        told.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
