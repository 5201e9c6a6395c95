#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine that does what the first part of the path says, and notes each request.

server.py PORT_FILE LOG WANTED [CERTIFICATE KEY]: WANTED is a file with the token that
is good at the time.
"""
import http.server
import ssl
import sys
import threading
import time

PORT_FILE, LOG, WANTED = sys.argv[1:4]
HOSTS = b'{"resource_providers":[{"name":"gold-1"}]}'
lock = threading.Lock()
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"{}", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self):
        return self.headers.get("X-Auth-Token", "")

    def do_ok(self, _):
        self.answer(200, HOSTS)

    def do_token(self, _):
        with open(WANTED, encoding="ascii") as wanted:
            good = self.token() == wanted.read().strip()
        self.answer(200 if good else 401, HOSTS if good else b"{}")

    # Who holds an old token gets the new one where it looks for it.
    def do_renewed(self, count):
        with open(WANTED, encoding="ascii") as wanted:
            good = wanted.read()
        with open(WANTED + ".held", "w", encoding="ascii") as held:
            held.write(good)
        self.do_token(count)

    def do_forbidden(self, _):
        self.answer(403, self.token().encode())

    def do_third(self, count):
        self.answer(200 if count >= 3 else 503, HOSTS)

    def do_failing(self, _):
        self.answer(500, self.token().encode())

    def do_silent(self, _):
        time.sleep(30)

    def do_dropped(self, _):
        self.close_connection = True

    def do_elsewhere(self, _):
        self.answer(302, Location="/caught/resource_providers")

    def do_caught(self, _):
        self.answer(200, HOSTS)

    def do_echo(self, _):
        self.answer(418, b'{"errors":"%s"}' % self.token().encode())

    def do_nonsense(self, _):
        self.answer(200, b'{"resource_providers":[{"name":7}]}' + self.token().encode())

    def do_endless(self, _):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 1048576)
        except OSError:
            self.close_connection = True

    def do_GET(self):
        what = self.path.split("/")[1]
        with lock:
            seen[what] = seen.get(what, 0) + 1
            count = seen[what]
            with open(LOG, "a", encoding="ascii") as log:
                log.write(f"{what}\n")
        getattr(self, "do_" + what)(count)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    # Handshakes that fail are what is tested.
    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
with open(PORT_FILE, "w", encoding="ascii") as file:
    file.write(f"{server.server_address[1]}\n")
server.serve_forever()
