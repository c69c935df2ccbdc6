"""The app's server: pages and answers over HTTP, to whoever has the key that is part of every address.

A question can name a file, which is executed. So another user of this machine, or a page that the visitor has open
elsewhere, must not be able to ask: no address without the key is answered, and the key is a new one at each start.
"""

from __future__ import annotations

import errno
import hmac
import json
import secrets
import socket
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from workbench.errors import WorkbenchError
from workbench.present.app import pages
from workbench.present.app.questions import QUESTIONS
from workbench.present.app.work import WORKING, Works, at_work
from workbench.present.progress import Progress

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LARGEST = 1 << 16  #: bytes of a question
_WAIT, _LOOK = 0.5, 0.005  #: seconds for which an answer to "how far?" waits for the end; between two looks
_NO_SUCH = "not found: every address of this app begins with the one that was printed when it started"
_HTML, _JSON, _TEXT = "text/html", "application/json", "text/plain"
_ASSETS = {"app.js": "text/javascript", "app.css": "text/css"}


class _Served(ThreadingHTTPServer):
    """The server, with what its handlers need."""

    daemon_threads = True

    works: Works

    def __init__(self, host: str, port: int, notebooks: Path) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.key = secrets.token_urlsafe(12)
        self.notebooks = {path.stem: path for path in sorted(notebooks.glob("*.ipynb"))}
        super().__init__((host, port), _Handler)

    def service_actions(self) -> None:
        self.works.tidy()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what went wrong with a request; nothing of a visitor who has gone."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            Progress().note(f"a request failed: {type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Served
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers
    timeout = 60  # seconds for which a connection may be silent

    def do_GET(self) -> None:
        match self._place():
            case [""]:
                read = [(f"read/{name}", pages.title_of(path)) for name, path in self.server.notebooks.items()]
                self._send(_HTML, pages.start(read), pages.POLICY)
            case [name] if name in QUESTIONS:
                self._send(_HTML, pages.asking(QUESTIONS[name]), pages.POLICY)
            case [name] if name in _ASSETS:
                self._send(_ASSETS[name], pages.asset(name))
            case ["work", number] if number.isdecimal():
                self._far(int(number))
            case ["page", number] if number.isdecimal():
                self._answer(int(number))
            case ["read", name] if name in self.server.notebooks:
                self._send(_HTML, pages.reading(self.server.notebooks[name]), pages.POLICY_OF_NOTEBOOKS)
            case _:
                self._send(_TEXT, _NO_SUCH, status=HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True  # what is not read would be taken for the next request
            self._send(_TEXT, "too long", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        match self._place():
            case ["ask", name] if name in QUESTIONS:
                self._ask(name, body)
            case ["cancel", number] if number.isdecimal():
                self.server.works.cancel(int(number))
                self._send(_JSON, "{}")
            case _:
                self._send(_TEXT, _NO_SUCH, status=HTTPStatus.NOT_FOUND)

    def _place(self) -> list[str]:
        """Return the parts of the address behind the key; none if the key is not there."""
        _, key, *rest = [*unquote(urlsplit(self.path).path).split("/"), ""]
        known = hmac.compare_digest(key.encode(), self.server.key.encode())
        return rest[:-1] if known else []

    def _ask(self, name: str, body: bytes) -> None:
        try:
            filled = json.loads(body)
            if not isinstance(filled, dict):
                raise WorkbenchError("the fields of a form are expected")
            number = self.server.works.begin(QUESTIONS[name].command(filled))
        except (ValueError, RecursionError, WorkbenchError) as error:  # the first two: it is no JSON, or too deep
            self._send(_JSON, json.dumps({"error": str(error)}))
        else:
            self._send(_JSON, json.dumps({"number": number}))

    def _far(self, number: int) -> None:
        """Tell how far a work is, at once if it has ended, else after a while."""
        until = time.monotonic() + _WAIT
        while (state := self.server.works.state(number)) is not None and state["state"] == WORKING:
            if time.monotonic() > until:
                break
            time.sleep(_LOOK)
        self._send(_JSON, json.dumps(state or {"state": "failed", "said": "the app has forgotten this question"}))

    def _answer(self, number: int) -> None:
        page = self.server.works.page(number)
        if page is None:
            self._send(_TEXT, "not found: this answer is no longer kept", status=HTTPStatus.NOT_FOUND)
        else:
            self._send(_HTML, page.read_text(encoding="utf-8"), "frame-ancestors 'self'")  # its policy is in it

    def _send(self, kind: str, text: str, policy: str = "", status: HTTPStatus = HTTPStatus.OK) -> None:
        content = text.encode()
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}
        # The key is part of the address, which nobody else is to be told.
        headers |= {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
        if policy:
            headers["Content-Security-Policy"] = policy
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return "workbench"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: an address has the key."""


def serve(host: str, port: int, notebooks: Path, ready: Callable[[str], None]) -> None:
    """Serve the app at a port (0: any that is free) until this process is told to end; call ``ready`` with the address.

    ``notebooks``: the folder of those that can be read; it need not exist. Raises WorkbenchError if the address cannot
    be used.
    """
    try:
        server = _Served(host, port, notebooks)
    except (OSError, OverflowError) as error:
        raise WorkbenchError(_refused(host, port, error)) from error
    with server, at_work() as server.works:
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{server.server_port}/{server.key}/")
        server.serve_forever()


def _refused(host: str, port: int, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; name another with --port N, or any free one with --port 0"
    return f"cannot listen at port {port} of {host!r}: {getattr(error, 'strerror', None) or error}"


__all__ = ["LOOPBACK", "serve"]
