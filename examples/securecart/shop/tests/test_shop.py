"""The shop from its front door: a real server on a free port, a real browser's requests."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlencode

from securecart import cart, catalogue
from securecart.place import Place
from securecart.server import Server
from securecart.shop import Shop
from securecart.store import Store

ADA = {"name": "Ada Byron", "email": "ada@example.com", "address": "12 St James's Square, London"}


class Visitor:
    """Keeps one connection and its cookies."""

    def __init__(self, port):
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.cookie = ""

    def ask(self, method, path, fields=None):
        headers = {"Cookie": self.cookie} if self.cookie else {}
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.link.request(method, path, body, headers)
        answer = self.link.getresponse()
        if answer.getheader("Set-Cookie"):
            self.cookie = answer.getheader("Set-Cookie").split(";")[0]
        return answer, answer.read().decode()


class ShopTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        catalogue.bake(str(self.folder / "catalogue.db"))
        store = Store(str(self.folder / "catalogue.db"), str(self.folder / "orders.db"))
        store.prepare()
        self.shop = Shop(store, b"k" * 32, "1.2.3", Place())
        self.server = Server(("127.0.0.1", 0), self.shop)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        self.visitor = self.new_visitor()

    def new_visitor(self):
        visitor = Visitor(self.server.server_port)
        self.addCleanup(lambda: visitor.link.close())
        return visitor

    def get(self, path):
        return self.visitor.ask("GET", path)

    def post(self, path, **fields):
        return self.visitor.ask("POST", path, fields)

    def orders(self):
        with contextlib.closing(sqlite3.connect(self.folder / "orders.db")) as db:
            return db.execute("SELECT number, name, cents FROM orders").fetchall()

    def test_the_catalogue_shows_every_product_and_who_served_it(self):
        answer, page = self.get("/")
        self.assertEqual(answer.status, 200)
        self.assertEqual(page.count('<article class="card">'), len(catalogue.PRODUCTS))
        self.assertIn("SecureCart 1.2.3 · served by " + socket.gethostname(), page)

    def test_search_finds_words_in_any_order_and_escapes_what_it_shows(self):
        _, text = self.get("/api/products?q=drive+tb")
        found = [product["slug"] for product in json.loads(text)["products"]]
        self.assertEqual(found, ["slate-drive", "slate-drive-4"])
        _, text = self.get("/api/products?q=%25")
        self.assertEqual(json.loads(text)["products"], [])
        _, page = self.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E")
        self.assertNotIn("<script>", page)
        self.assertIn("&lt;script&gt;", page)
        _, page = self.get("/?category=Desk")
        self.assertEqual(page.count('<article class="card">'), 2)

    def test_a_product_has_a_page_and_an_unknown_one_does_not(self):
        self.assertIn("second hour of an incident", self.get("/product/calm-mug")[1])
        self.assertEqual(self.get("/product/none")[0].status, 404)
        self.assertEqual(self.get("/nowhere")[0].status, 404)
        self.assertEqual(self.visitor.ask("DELETE", "/")[0].status, 405)

    def test_the_cart_adds_changes_and_empties(self):
        answer, _ = self.post("/cart", slug="calm-mug", add="1")
        self.assertEqual((answer.status, answer.getheader("Location")), (303, "/cart"))
        self.post("/cart", slug="calm-mug", add="1")
        _, page = self.get("/cart")
        self.assertIn("Cart (2)", page)
        self.assertIn("€ 32.00", page)
        self.post("/cart", slug="calm-mug", count="0")
        self.assertIn("Your cart is empty", self.get("/cart")[1])

    def test_the_cart_refuses_nonsense(self):
        for fields in ({"slug": "none", "add": "1"}, {"slug": "calm-mug", "count": "-1"},
                       {"slug": "calm-mug", "count": "10"}, {"slug": "calm-mug"}):
            with self.subTest(fields):
                answer, page = self.post("/cart", **fields)
                self.assertEqual(answer.status, 400)
                self.assertIn('role="alert"', page)

    def test_a_cart_with_a_changed_cookie_is_empty(self):
        self.post("/cart", slug="calm-mug", add="1")
        body, mac = self.visitor.cookie.removeprefix("cart=").split(".")
        self.visitor.cookie = f"cart={cart.seal({'calm-mug': 9}, b'other key').split('.')[0]}.{mac}"
        self.assertIn("Your cart is empty", self.get("/cart")[1])
        self.visitor.cookie = f"cart={body}.é".encode().decode("latin-1")
        self.assertIn("Your cart is empty", self.get("/cart")[1])

    def test_checkout_stores_one_order_and_shows_its_number(self):
        self.post("/cart", slug="lantern-key", add="1")
        self.post("/cart", slug="calm-mug", count="3")
        _, page = self.get("/checkout")
        form = re.search(r'name="form" value="([0-9a-f]{32})"', page).group(1)
        cookie = self.visitor.cookie
        answer, page = self.post("/checkout", form=form, **ADA)
        self.assertEqual(answer.status, 201)
        number = re.search(r'id="order">(SC-[2-9A-Z]{8})<', page).group(1)
        self.assertEqual(self.orders(), [(number, "Ada Byron", 4900 + 3 * 1600)])
        self.assertIn("Your cart is empty", self.get("/cart")[1])
        self.visitor.cookie = cookie  # the same form sent twice
        self.assertIn(number, self.post("/checkout", form=form, **ADA)[1])
        self.assertEqual(len(self.orders()), 1)

    def test_checkout_names_every_wrong_field_and_keeps_what_was_typed(self):
        self.post("/cart", slug="calm-mug", add="1")
        answer, page = self.post("/checkout", form="0" * 32, name="A", email="ada", address="<b>")
        self.assertEqual(answer.status, 400)
        for word in ("your name", "e-mail address", "your address", "&lt;b&gt;"):
            self.assertIn(word, page)
        self.assertEqual(self.orders(), [])

    def test_checkout_needs_a_cart(self):
        self.assertEqual(self.get("/checkout")[0].status, 303)
        self.assertEqual(self.post("/checkout", form="0" * 32, **ADA)[0].status, 400)

    def test_health_tells_the_truth_about_the_databases(self):
        answer, text = self.get("/healthz")
        self.assertEqual((answer.status, json.loads(text)["products"]), (200, len(catalogue.PRODUCTS)))
        os.rename(self.folder / "catalogue.db", self.folder / "gone.db")
        answer, text = self.get("/healthz")
        self.assertEqual((answer.status, json.loads(text)["status"]), (503, "unavailable"))
        self.assertEqual(self.get("/")[0].status, 503)
        os.rename(self.folder / "gone.db", self.folder / "catalogue.db")
        self.assertEqual(self.get("/healthz")[0].status, 200)
        os.unlink(self.folder / "orders.db")
        self.assertEqual(self.get("/healthz")[0].status, 503)

    def test_requests_that_make_no_sense_are_refused(self):
        self.assertEqual(self.get("/?q=%ff")[0].status, 400)
        answer, _ = self.new_visitor().ask("POST", "/cart", {"slug": "x" * 20000})
        self.assertEqual(answer.status, 413)

    def test_one_connection_serves_many_requests(self):
        self.get("/healthz")
        used = self.visitor.link.sock
        self.get("/")
        self.assertIs(self.visitor.link.sock, used)


class MetadataTest(unittest.TestCase):
    def test_instance_and_zone_come_from_the_token_flow(self):
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Metadata(BaseHTTPRequestHandler):
            def do_PUT(self):
                self._say("secret" if self.path == "/latest/api/token" else "")

            def do_GET(self):
                known = {"/latest/meta-data/instance-id": "i-0abc",
                         "/latest/meta-data/placement/availability-zone": "us-east-1b"}
                token = self.headers["X-aws-ec2-metadata-token"] == "secret"
                self._say(known.get(self.path, "") if token else "", 200 if token else 401)

            def _say(self, text, status=200):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        with HTTPServer(("127.0.0.1", 0), Metadata) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            place = Place(f"127.0.0.1:{server.server_port}")
            place._ask_until_known()
            server.shutdown()
            asking = Place("127.0.0.1:1")
            self.assertEqual(asking.instance, socket.gethostname(), "until it is known")
        self.assertEqual((place.instance, place.zone), ("i-0abc", "us-east-1b"))


class ProcessTest(unittest.TestCase):
    def test_it_starts_quickly_and_finishes_a_request_begun_before_sigterm(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            probe.close()
            catalogue.bake(f"{folder}/catalogue.db")
            Path(folder, "VERSION").write_text("1\n")
            Path(folder, "key").write_text("k" * 32)
            env = dict(os.environ, SECURECART_HOME=folder, SECURECART_DATA=folder,
                       SECURECART_KEY=f"{folder}/key", SECURECART_PORT=str(port))
            command = [sys.executable, "-m", "securecart.server"]
            shop = subprocess.Popen(command, env=env, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True,
                                    cwd=Path(__file__).parents[1])
            try:
                self.assertIn("listens", shop.stdout.readline())
                idle = Visitor(port)
                idle.ask("GET", "/healthz")
                with socket.create_connection(("127.0.0.1", port), 10) as slow:
                    slow.sendall(b"POST /cart HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\nslug=")
                    time.sleep(0.3)
                    shop.send_signal(signal.SIGTERM)
                    time.sleep(0.5)
                    with self.assertRaises(OSError):
                        socket.create_connection(("127.0.0.1", port), 2)
                    slow.sendall(b"calm-mug&add=1")
                    self.assertTrue(slow.recv(100).startswith(b"HTTP/1.1 303"))
                idle.link.close()
                out, err = shop.communicate(timeout=10)
                self.assertIn("all requests finished", out)
                self.assertEqual(shop.returncode, 0, err)
            finally:
                if shop.poll() is None:
                    shop.kill()
                    shop.communicate()
