"""A run over HTTP, for one browser on this machine.

It listens on 127.0.0.1 alone. The first address holds a token, that the server takes out of the address and into a
cookie; without either, every request is refused. A request that names another host is refused (DNS rebinding), one that
writes and comes from another page too. The page may load what the server itself gives and nothing else
(Content-Security-Policy), so no request leaves the machine. Nothing is logged.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from curate.engine.guard import withheld
from pipelines.browse.bench import Bench

HOST = "127.0.0.1"
_MOST = 65536  # bytes of a request's body
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
_HEADERS = {
    "Content-Security-Policy": _POLICY + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASSETS = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_JSON = "application/json; charset=utf-8"

Answer = tuple[int, str, bytes]


class Server(ThreadingHTTPServer):
    """``bench`` served on ``port`` (0: any that is free); `address` opens it. OSError where the port is taken."""

    daemon_threads = True

    def __init__(self, bench: Bench, port: int = 0) -> None:
        self.bench, self.token = bench, secrets.token_urlsafe(32)
        self.assets = {at: (kind, _asset(name)) for at, (name, kind) in _ASSETS.items()}
        super().__init__((HOST, port), Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """With the token: whoever has it reads the run."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a request may call this server."""
        return f"{HOST}:{self.port}", f"localhost:{self.port}"

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies do not tell ports apart."""
        return f"radsift-{self.port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "radsift", ""
    timeout = 60

    def do_GET(self) -> None:
        """A page, a picture, or an answer as JSON."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A mark."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: an address holds keys, searches and the token."""

    def _answer(self, make: Callable[[str, Mapping[str, str]], Answer]) -> None:
        parts = urlsplit(self.path)
        parameters = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        try:
            if self.headers.get("Host", "") not in self.server.hosts:
                return self._send(403, "text/plain", b"this host is not served")
            if parts.path == "/" and self._is_token(parameters.get("token", "")):
                return self._enter()
            if not self._is_token(self._cookie()):
                return self._send(403, "text/plain", b"open the address that `curate browse` printed")
            self._send(*make(parts.path, parameters))
        except (ValueError, KeyError) as error:
            self._send(400, _JSON, json.dumps({"error": str(error.args[0] if error.args else "")}).encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # noqa: BLE001  told without its text
            self._send(500, _JSON, json.dumps({"error": str(withheld(error))}).encode())

    def _get(self, path: str, parameters: Mapping[str, str]) -> Answer:
        if path in self.server.assets:
            return 200, *self.server.assets[path]
        first, _, rest = path.removeprefix("/").partition("/")
        if first in ("thumb", "image") and rest:
            picture = self.server.bench.picture(rest, 240 if first == "thumb" else 1024)
            return (200, "image/jpeg", picture) if picture else (404, "text/plain", b"it has no picture")
        asks: dict[str, Callable[[], Any]] = {
            "api/start": self.server.bench.start,
            "api/records": partial(self.server.bench.records, parameters),
            "api/record": partial(self.server.bench.record, parameters),
            "api/cut": partial(self.server.bench.cut_moved, parameters),
            "api/map": self.server.bench.map,
            "api/draw": partial(self.server.bench.draw, parameters),
            "api/marks": self.server.bench.review.summary,
        }
        answer = asks.get(path.removeprefix("/"))
        return (200, _JSON, _json(answer())) if answer else (404, "text/plain", b"there is no such page")

    def _post(self, path: str, parameters: Mapping[str, str]) -> Answer:
        origin = self.headers.get("Origin")
        if origin is not None and origin not in [f"http://{h}" for h in self.server.hosts]:
            self.close_connection = True
            return 403, "text/plain", b"another page may not write here"
        size = int(self.headers.get("Content-Length") or 0)
        if path != "/api/mark" or not 0 < size <= _MOST:
            self.close_connection = True  # its body is not read
            return 404, "text/plain", b"there is no such page"
        body = json.loads(self.rfile.read(size))
        if not isinstance(body, dict):
            raise ValueError("a mark is an object")
        return 200, _JSON, _json(self.server.bench.mark(body))

    def _enter(self) -> None:
        self.send_response(303)
        self.send_header("Location", "/")
        cookie = f"{self.server.cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        self.send_header("Set-Cookie", cookie)
        self._end(b"")

    def _cookie(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.server.token.encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self._end(body)

    def _end(self, body: bytes) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _asset(name: str) -> bytes:
    where = "curate.report" if name == "style.css" else "pipelines.browse"
    return (files(where) / name).read_bytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
