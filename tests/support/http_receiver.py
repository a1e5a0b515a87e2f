"""A web server that tests post to: it answers as told, and remembers what it got."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """A web server that answers as told, each answer once, then 204 for ever. `at_s`: when what it got was there."""

    def __init__(self):
        self.answers = []
        self.got = []
        self.at_s = []
        self.leave = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.at_s.append(time.monotonic())
                receiver.got.append((self.path, dict(self.headers.items()), body))
                (receiver.answers.pop(0) if receiver.answers else status(204))(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def hang(self, _handler):
        self.leave.wait(30)

    def drip(self, handler):
        """Keeps the connection busy for ever, a byte at a time."""
        handler.send_response(500)
        handler.end_headers()
        while not self.leave.wait(0.02):
            handler.wfile.write(b".")
            handler.wfile.flush()

    def flood(self, handler):
        handler.send_response(410)
        handler.end_headers()
        try:
            while not self.leave.is_set():
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass  # the sender had heard enough

    def stop(self):
        self.leave.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def status(code, text=b"", **headers):
    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer
