"""What stands before a real InfluxDB and may answer in its place: as when its disk is full, or it knows us no more."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class InfluxFront:
    """Passes everything on, until `instead` is a status and words."""

    def __init__(self, behind):
        self.instead = None
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if front.instead is not None:
                    code, words = front.instead
                    self._answer(code, json.dumps({"error": words}).encode())
                    return
                try:
                    sent = {"content-type": self.headers.get("content-type", "text/plain")}
                    answer = httpx.request(
                        self.command, behind + self.path, content=body, headers=sent, trust_env=False
                    )
                except httpx.TransportError:
                    self.close_connection = True  # it is away, and so are we
                    return
                self._answer(answer.status_code, answer.content, answer.headers.get("x-influxdb-version", ""))

            do_GET = do_POST  # noqa: N815 - http.server's name

            def _answer(self, code, body, version=""):
                self.send_response(code)
                self.send_header("x-influxdb-version", version)
                if code != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
