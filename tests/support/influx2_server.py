"""As much of an InfluxDB 2.x as a writer meets: it keeps lines, and says no in all the ways that 2.x has."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class FakeInflux2:
    """`mood(lines)` answers a write with (status, body, headers), or "hang" or "close"; None takes all of it.

    `kept` is line -> how often; `queries` what was asked; `csv` what every query gets.
    """

    def __init__(self):
        self.mood = lambda lines: None
        self.kept = {}
        self.requests = []
        self.queries = []
        self.deleted = []
        self.csv = ""
        self.buckets = {}
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def keep(self, lines):
        for line in lines:
            self.kept[line] = self.kept.get(line, 0) + 1

    def _handler(fake):  # noqa: C901, N805 - one class in it; the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                url = urlsplit(self.path)
                fake.requests.append((url.path, parse_qs(url.query), dict(self.headers)))
                match url.path:
                    case "/api/v2/write":
                        self._write(body.decode().splitlines())
                    case "/api/v2/query":
                        fake.queries.append(json.loads(body))
                        self._say(200, fake.csv, {"content-type": "text/csv"})
                    case "/api/v2/delete":
                        fake.deleted.append(json.loads(body))
                        self._say(204)
                    case "/api/v2/buckets":
                        asked = json.loads(body)
                        fake.buckets[asked["name"]] = {"id": "00", "orgID": "01", **asked}
                        self._say(201, json.dumps(fake.buckets[asked["name"]]))
                    case _:
                        self._say(404, '{"code":"not found","message":"path not found"}')

            def do_PATCH(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fake.buckets[asked["name"]] |= asked
                self._say(200, json.dumps(fake.buckets[asked["name"]]))

            def do_GET(self):
                name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
                if self.path.startswith("/api/v2/orgs"):
                    self._say(200, '{"orgs":[{"id":"01","name":"works"}]}')
                    return
                found = [fake.buckets[name]] if name in fake.buckets else []
                self._say(200, json.dumps({"buckets": found}))

            def _write(self, lines):
                answer = fake.mood(lines)
                if answer == "hang":
                    fake.released.wait(30)
                    self.close_connection = True
                elif answer == "close":
                    self.close_connection = True
                elif answer is None:
                    fake.keep(lines)
                    self._say(204)
                else:
                    self._say(*answer)

            def _say(self, status, body="", headers=None):
                content = body.encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(content)

        return Handler


def says(status, message="", **headers):
    """An answer as 2.x puts it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, json.dumps({"code": "because", "message": message}), names
