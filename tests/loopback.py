"""A server on 127.0.0.1 that answers as real ones do: well, slowly, not at all, or with something else."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from bishan_gis.sources.fetch.web import Web

#: What a busy Overpass server sends instead of data.
BUSY_PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html><head><title>OSM3S Response</title></head><body>
<p><strong style="color:#FF0000">Error</strong>: runtime error: dispatcher timeout. Probably the server is overcrowded.
</p></body></html>"""
SLOTS_FREE = b"Connected as: 1\nCurrent time: 2026-11-24T00:00:00Z\nRate limit: 2\n2 slots available now.\n"
SLOTS_TAKEN = b"Rate limit: 2\nSlot available after: 2026-11-24T00:01:10Z, in 70 seconds.\n"


@dataclass
class Reply:
    """What is sent once; `cut` bytes of `body` at most, `rest_s` seconds between blocks of `block` bytes.

    Where `chunked`, the size is not said beforehand.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    rest_s: float = 0.0
    block: int = 1 << 16
    chunked: bool = False


@dataclass
class Asked:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    data: str = ""


class Loopback:
    """Replies per path, one after the other; the last one stays. A whole file is served with ETag and Range."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply | Callable[[Asked], Reply]]] = {}
        self.asked: list[Asked] = []
        self.url = ""
        self._lock = threading.Lock()

    def on(self, path: str, *replies: Reply | Callable[[Asked], Reply] | bytes) -> None:
        self.replies[path] = [Reply(r) if isinstance(r, bytes) else r for r in replies]

    def paths(self, method: str = "") -> list[str]:
        return [a.path for a in self.asked if not method or a.method == method]

    def take(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            queue = self.replies.get(asked.path)
            if not queue:
                return Reply(b"nothing here", status=404)
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
        return reply(asked) if callable(reply) else reply


def _handler(loopback: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer("GET", "")

        def do_HEAD(self) -> None:
            self._answer("HEAD", "")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer("POST", parse_qs(body).get("data", [""])[0])

        def _answer(self, method: str, data: str) -> None:
            asked = Asked(method, self.path, {k.title(): v for k, v in self.headers.items()}, data)
            reply = loopback.take(asked)
            tag = '"' + hashlib.sha256(reply.body).hexdigest()[:16] + '"'
            head = {"ETag": tag, **reply.headers}
            body, status = reply.body, reply.status
            found = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
            if found and status == 200 and asked.headers.get("If-Range") == head["ETag"]:
                at = int(found[1])
                if at >= len(body):
                    status, head["Content-Range"], body = 416, f"bytes */{len(body)}", b""
                else:
                    status, head["Content-Range"] = 206, f"bytes {at}-{len(body) - 1}/{len(body)}"
                    body = body[at:]
            self.send_response(status)
            for key, value in head.items():
                self.send_header(key, value)
            size = ("Transfer-Encoding", "chunked") if reply.chunked else ("Content-Length", str(len(body)))
            self.send_header(*size)
            self.end_headers()
            if method == "HEAD":
                return
            out = body if reply.cut is None else body[: reply.cut]
            try:
                for i in range(0, len(out), reply.block):
                    piece = out[i : i + reply.block]
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)
                    self.wfile.flush()
                    if reply.rest_s:
                        time.sleep(reply.rest_s)
                if reply.chunked and len(out) == len(body):
                    self.wfile.write(b"0\r\n\r\n")
            except OSError:
                pass  # the client had enough
            self.close_connection = len(out) < len(body)

    return Handler


@contextmanager
def loopback_server() -> Iterator[Loopback]:
    loopback = Loopback()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(loopback))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    loopback.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def quick_web(waits: list[float], **changes: object) -> Web:
    """Return a `Web` that only notes its waits."""
    return Web(
        **{"agent": "test", "timeout_s": 5.0, "tries": 4, "sleep": waits.append, "chance": lambda: 0.5, **changes}
    )
