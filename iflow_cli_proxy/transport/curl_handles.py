"""curl's handles, configured once: what `mimic` keeps in its pool.

Knows curl's options and the shape of its callbacks. Refuses to know what an answer means: lines and pieces go to the
receiver of the moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from curl_cffi import AsyncCurl, Curl, CurlHttpVersion, CurlMOpt, CurlOpt
from curl_cffi.curl import CURL_WRITEFUNC_ERROR

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.proxy import Proxy

RECEIVE_BYTES: Final = 65_536
POOLED_CONNECTIONS: Final = 1_024

_FORBIDDEN: Final = str.maketrans("", "", "\r\n\0")
_CURL_OWN_HEADERS: Final = ("accept", "content-type", "expect", "user-agent")


class Receiver(Protocol):
    """Called inside curl's own stack: nothing here may raise, or call back into curl."""

    def on_header(self, line: bytes) -> bool:
        """One line of the head, with its line break; False aborts the transfer."""
        ...

    def on_body(self, data: bytes) -> int:
        """A piece of the body; answers how much was taken, or CURL_WRITEFUNC_PAUSE."""
        ...

    def on_end(self, error: BaseException | None) -> None:
        """The transfer is over."""
        ...


class Multi(AsyncCurl):
    """AsyncCurl that tells the handle itself how its transfer ended, without a future and a loop turn in between."""

    def __init__(self) -> None:
        super().__init__()
        self.setopt(CurlMOpt.MAXCONNECTS, POOLED_CONNECTIONS)  # type: ignore[no-untyped-call]

    def set_result(self, curl: Curl) -> None:
        self._pop_future(curl)
        if isinstance(curl, Handle):
            curl.finished(None)

    def set_exception(self, curl: Curl, exception: BaseException) -> None:
        self._pop_future(curl)
        if isinstance(curl, Handle):
            curl.finished(exception)


class Handle(Curl):
    """One easy handle. Everything that is the same for every request is set here, once."""

    def __init__(self, options: TransportOptions) -> None:
        super().__init__(cacert=options.ca_file)
        # 128 KiB that only websockets need.
        self._ws_recv_buffer = None
        self.receiver: Receiver | None = None
        self.proxy: Proxy | None = None
        self.connect_timeout_s = options.connect_timeout_s
        self.is_spoiled = False
        """A callback raised; curl_cffi would report that same exception at the end of every later transfer."""
        self._method = ""
        if self.impersonate(options.impersonate, default_headers=False) != 0:
            raise ConfigError(
                f"There is no browser called {options.impersonate!r} to impersonate.",
                param="upstream.impersonate",
                hint="use a name that curl_cffi knows, such as chrome124",
            )
        for option, value in (
            # Without this an http:// URL would ask for an upgrade to h2c.
            (CurlOpt.HTTP_VERSION, CurlHttpVersion.V2TLS),
            (CurlOpt.CONNECTTIMEOUT_MS, max(1, int(options.connect_timeout_s * 1000))),
            # Set, even when empty, they keep curl from reading the environment.
            (CurlOpt.PROXY, b""),
            (CurlOpt.NOPROXY, b""),
            (CurlOpt.SUPPRESS_CONNECT_HEADERS, 1),
            (CurlOpt.PROXY_CREDENTIAL_NO_REUSE, 1),
            (CurlOpt.HTTP_CONTENT_DECODING, 0),
            (CurlOpt.FOLLOWLOCATION, 0),
            (CurlOpt.NOSIGNAL, 1),
            (CurlOpt.BUFFERSIZE, RECEIVE_BYTES),
            (CurlOpt.HEADERFUNCTION, self._on_header),
            (CurlOpt.WRITEFUNCTION, self._on_body),
        ):
            self.setopt(option, value)

    def prepare(self, request: UpstreamRequest, proxy: Proxy | None) -> None:
        """Set what differs from request to request."""
        if proxy != self.proxy:
            self.setopt(CurlOpt.PROXY, proxy.url.encode() if proxy is not None else b"")
            self.proxy = proxy
        self.setopt(CurlOpt.URL, request.url.encode())
        body = request.body
        if body or request.method != "GET":
            self.setopt(CurlOpt.POST, 1)
            self.setopt(CurlOpt.POSTFIELDSIZE_LARGE, len(body))
            self.setopt(CurlOpt.POSTFIELDS, body)
        else:
            self.setopt(CurlOpt.HTTPGET, 1)
        if request.method != self._method:
            self.setopt(CurlOpt.CUSTOMREQUEST, request.method.encode())
            self._method = request.method
        self._set_headers(request.headers)

    def _set_headers(self, headers: Mapping[str, str]) -> None:
        missing = dict.fromkeys(_CURL_OWN_HEADERS)
        lines = []
        coding = "Accept-Encoding: identity"
        for name, value in headers.items():
            if len(name.translate(_FORBIDDEN)) + len(value.translate(_FORBIDDEN)) != len(name) + len(value):
                raise ValueError("a header must not contain a line break")
            # A header without a value needs the semicolon, or curl takes it for one to leave out.
            lines.append(f"{name}: {value}".encode() if value else f"{name};".encode())
            key = name.lower()
            missing.pop(key, None)
            if key == "accept-encoding":
                coding = ""
        if coding:
            lines.append(coding.encode())
        self.setopt(CurlOpt.HTTPHEADER, lines + [f"{name}:".encode() for name in missing])

    def forget(self) -> None:
        """Let go of the last request's body and headers, to which the next `setopt` would append."""
        callbacks = self._write_handle, self._header_handle
        self.clean_handles_and_buffers()
        self._write_handle, self._header_handle = callbacks

    def _on_header(self, line: bytes) -> int:
        return len(line) if self.receiver is not None and self.receiver.on_header(line) else CURL_WRITEFUNC_ERROR

    def _on_body(self, data: bytes) -> int:
        return self.receiver.on_body(data) if self.receiver is not None else CURL_WRITEFUNC_ERROR

    def finished(self, error: BaseException | None) -> None:
        """The transfer is over and curl has let go of this handle."""
        if self.receiver is not None:
            self.receiver.on_end(error)
