"""A token endpoint on loopback in a thread of its own, for command lines that run their own event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from iflow_cli_proxy.core import jsonx

Judge: TypeAlias = Callable[[str], tuple[int, Any]]
"""A refresh token in; a status and what is sent as JSON out."""


class TokenEndpoint:
    """Where it is, and which refresh tokens it was shown."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown: list[str] = []


@contextmanager
def token_endpoint(judge: Judge) -> Iterator[TokenEndpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            token = form["refresh_token"][0]
            endpoint.shown.append(token)
            status, answer = judge(token)
            body = jsonx.encode(answer)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint = TokenEndpoint(f"http://127.0.0.1:{server.server_port}/token")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
