"""A chat server on this machine whose behaviour a test gives."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """A fake OpenAI-compatible server; `behave(self, handler, n, content)` answers the n-th request."""

    def __init__(self, behave):
        self.requests, self.headers = [], []
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.requests.append(body)
                    server.headers.append(dict(self.headers))
                    n = len(server.requests)
                try:
                    behave(self, n, body["messages"][0]["content"])
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, format, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def reply(handler, text, tokens=10, status=200, headers=()):
    data = json.dumps({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": tokens}})
    if tokens is None:
        data = json.dumps({"choices": [{"message": {"content": text}}]})
    send(handler, data if status == 200 else text, status, headers)


def send(handler, data, status=200, headers=()):
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data.encode())))
    handler.end_headers()
    handler.wfile.write(data.encode())


def longer_wins(handler, n, content):
    """An honest answer: the longer response."""
    first = content.split("[Response A]\n")[1].split("\n")[0]
    second = content.split("[Response B]\n")[1].split("\n")[0]
    reply(handler, "Hm, not [[C]]. So: " + ("[[A]]" if len(first) > len(second) else "[[B]]"))
