"""HTTP in: keep-alive, limits, and an orderly end.

On SIGTERM the shop stops accepting, finishes the requests it has, tells
keep-alive clients to go elsewhere, and ends.
"""

import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .place import Place
from .shop import Shop
from .store import Store

MOST_BODY = 16 * 1024
DRAIN_SECONDS = 25  # the load balancer's deregistration delay is 30


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "SecureCart", ""
    timeout = 75  # longer than the load balancer keeps an idle connection
    wbufsize = 64 * 1024  # headers and body leave in one packet
    disable_nagle_algorithm = True

    def do_GET(self):
        with self.server.working(self.connection):
            self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _serve(self):
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            return self.send_error(411, "A body needs a Content-Length")
        if int(length) > MOST_BODY:
            return self.send_error(413, "The body is too large")
        body = self.rfile.read(int(length))
        cookie = self.headers.get("Cookie", "")
        answer = self.server.shop.answer(self.command, self.path, cookie, body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
        if self.server.shop.draining:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_request(self, code="-", size="-"):
        if self.path != "/healthz" or code != 200:
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address, shop):
        self.shop = shop
        self.busy, self.idle = 0, set()
        self.change = threading.Condition()
        super().__init__(address, Handler)

    def working(self, connection):
        return _Working(self, connection)

    def process_request(self, request, client_address):
        with self.change:
            self.idle.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.change:
            self.idle.discard(request)
        super().shutdown_request(request)

    def drain(self):
        """Finishes what was begun; answers whether all of it was."""
        with self.change:
            for connection in self.idle:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # the client was quicker
            return self.change.wait_for(lambda: self.busy == 0, DRAIN_SECONDS)


class _Working:
    """Counts a request in, and out."""

    def __init__(self, server, connection):
        self.server, self.connection = server, connection

    def __enter__(self):
        with self.server.change:
            self.server.busy += 1
            self.server.idle.discard(self.connection)

    def __exit__(self, *_):
        with self.server.change:
            self.server.busy -= 1
            self.server.idle.add(self.connection)
            self.server.change.notify_all()


def main():
    home = os.environ.get("SECURECART_HOME", "/opt/securecart")
    data = os.environ.get("SECURECART_DATA", "/var/lib/securecart")
    port = int(os.environ.get("SECURECART_PORT", "8080"))
    with open(os.environ.get("SECURECART_KEY", "/etc/securecart/key"), "rb") as file:
        key = file.read().strip()
    if len(key) < 32:
        sys.exit("securecart: the key for carts is too short")
    with open(f"{home}/VERSION", encoding="ascii") as file:
        version = file.read().strip()
    store = Store(f"{home}/catalogue.db", f"{data}/orders.db")
    store.prepare()
    place = Place()
    server = Server(("", port), Shop(store, key, version, place))
    place.find_out()

    def stop(*_):
        server.shop.draining = True
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"securecart: {version} listens on port {port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    if not server.drain():
        sys.exit("securecart: some requests did not finish in time")
    print("securecart: all requests finished", flush=True)


if __name__ == "__main__":
    main()
