"""Servers on this machine, for tests of downloads: files, faults, and the site of Cityscapes."""

import hashlib
import http.server
import json
import re
import threading
import time
from urllib.parse import parse_qs, urlsplit

import requests


class Server:
    """Serves `files` (path -> bytes) from a thread, with the faults that are switched on.

    Attributes:
        url: Its address.
        files: What it has.
        requests: Path and `Range` header of every request for a file, in order.
        ranges: Whether it answers requests for a part.
        cut_after: Bytes of a body after which the connection breaks; None sends all.
        pace_s: Seconds between two pieces of a body of 16 KiB.
        stall: Seconds to wait before a body.
        status: Answers this status instead, as often as `failures` says.
        failures: See `status`.
        redirects: Path -> the address to go to.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cut_after: int | None = None
        self.stall = self.pace_s = 0.0
        self.status, self.failures = 500, 0
        self.redirects: dict[str, str] = {}
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.answer(self)

            def do_POST(self):
                owner.answer_form(self)

            def log_message(self, *arguments):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that goes away, as it is killed for, is no error here

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler) -> None:
        path = urlsplit(handler.path).path
        if path in self.redirects:
            return send(handler, 302, b"", {"Location": self.redirects[path]})
        if path not in self.files:
            return send(handler, 404, b"")
        self.send_file(handler, path, self.files[path])

    def answer_form(self, handler) -> None:
        send(handler, 405, b"")

    def send_file(self, handler, path: str, content: bytes) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((path, wanted))
        if self.failures:
            self.failures -= 1
            return send(handler, self.status, b"")
        start, status, headers = 0, 200, {}
        if wanted and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                return send(handler, 416, b"", {"Content-Range": f"bytes */{len(content)}"})
            status, headers = 206, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        time.sleep(self.stall)
        body = content[start:]
        if self.cut_after is not None and len(body) > self.cut_after:
            headers |= {"Content-Length": str(len(body))}
            send(handler, status, body[: self.cut_after], headers)
            handler.close_connection = True
            return None
        return send(handler, status, body, headers, self.pace_s)


def send(
    handler, status: int, body: bytes, headers: dict[str, str] | None = None, pace_s: float = 0.0
) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    for start in range(0, len(body), 1 << 14):
        handler.wfile.write(body[start : start + (1 << 14)])
        time.sleep(pace_s)


class CityscapesSite(Server):
    """What the official download tool asks of www.cityscapes-dataset.com.

    Args:
        packages: Name -> content.
        account: Name and password that it lets in.
    """

    def __init__(self, packages: dict[str, bytes], account: tuple[str, str]) -> None:
        super().__init__()
        self.packages, self.account, self.logins = packages, account, 0
        self.md5 = {name: hashlib.md5(content).hexdigest() for name, content in packages.items()}

    def answer_form(self, handler) -> None:
        form = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        right = (form["username"][0], form["password"][0]) == self.account
        self.logins += right
        send(handler, 302 if right else 200, b"", {"Location": "/downloads"} if right else None)

    def answer(self, handler) -> None:
        url = urlsplit(handler.path)
        names = list(self.packages)
        if url.path == "/login":
            return send(handler, 200, b"")
        if url.path == "/downloads/":
            rows = [
                {"name": name, "packageID": str(i), "size": f"{len(self.packages[name]) / 1024}KB"}
                for i, name in enumerate(names)
            ]
            return send(handler, 200, json.dumps(rows).encode())
        name = names[int(parse_qs(url.query)["packageID"][0])]
        if url.path == "/md5-sum/":
            return send(handler, 200, f"{self.md5[name]} {name}".encode())
        return self.send_file(handler, name, self.packages[name])


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def send(self, request, **options):
        parts = urlsplit(request.url)
        request.url = self.server.url + parts._replace(scheme="", netloc="").geturl()
        return super().send(request, **options)


def route_everything_to(server: Server, monkeypatch) -> None:
    """Requests to anywhere reach the server instead, also those that ask for https."""
    adapter = _Adapter(server)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda session, url: adapter)
