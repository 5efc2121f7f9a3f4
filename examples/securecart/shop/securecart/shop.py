"""What the shop does with a request. No sockets here, so tests can call it."""

import json
import re
import secrets
import sys
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, unquote, urlsplit

from . import cart as carts
from . import pages
from .store import Unavailable

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")


class Answer:
    def __init__(self, status, body, kind="text/html; charset=utf-8", headers=()):
        self.status = status
        self.body = body.encode()
        self.headers = [("Content-Type", kind), *headers]


class Shop:
    def __init__(self, store, key, version, place):
        self.store, self.key, self.version, self.place = store, key, version, place
        self.draining = False

    def answer(self, method, target, cookie="", body=b""):
        parts = urlsplit(target)
        path = unquote(parts.path)
        try:
            query = _fields(parts.query)
            if method in ("GET", "HEAD"):
                return self._get(path, query, self._cart(cookie))
            if method == "POST" and path in ("/cart", "/checkout"):
                fields = _fields(body.decode("utf-8"))
                if path == "/cart":
                    return self._change_cart(fields, self._cart(cookie))
                return self._order(fields, self._cart(cookie))
            return self._page(405, "Not possible", pages.errors([f"{method} is not possible here."]))
        except ValueError:
            return self._page(400, "Bad request", pages.errors(["The request could not be read."]))
        except Unavailable as cause:
            print(f"securecart: {cause}", file=sys.stderr, flush=True)
            message = "The shop cannot reach its data. Please try again in a moment."
            return self._page(503, "Not available", pages.errors([message]))

    def _get(self, path, query, cart):
        if path == "/healthz":
            return self._health()
        if path == "/style.css":
            cache = [("Cache-Control", "max-age=3600")]
            return Answer(200, pages.STYLE, "text/css; charset=utf-8", cache)
        if path == "/api/products":
            found = self.store.products(query.get("q", ""), query.get("category", ""))
            shown = ("slug", "name", "category", "cents", "about")
            listing = {"products": [{key: row[key] for key in shown} for row in found]}
            return Answer(200, json.dumps(listing), "application/json")
        if path == "/":
            text, category = query.get("q", "")[:100], query.get("category", "")
            found = self.store.products(text, category)
            body = pages.catalogue(found, self.store.categories(), category, text)
            return self._page(200, category or "Catalogue", body, cart, text)
        if path.startswith("/product/"):
            row = self.store.product(path.removeprefix("/product/"))
            if row:
                return self._page(200, row["name"], pages.product(row), cart)
        if path == "/cart":
            return self._page(200, "Cart", pages.cart(self._lines(cart)), cart)
        if path == "/checkout":
            lines = self._lines(cart)
            if not lines:
                return Answer(303, "", headers=[("Location", "/cart")])
            form = pages.checkout(lines, secrets.token_hex(16), {})
            return self._page(200, "Checkout", form, cart)
        return self._page(404, "Not found", pages.errors(["There is no such page."]), cart)

    def _health(self):
        state = {"status": "ok", "version": self.version, "instance": self.place.instance}
        try:
            if self.draining:
                raise Unavailable("draining")
            state["products"] = self.store.check()
            return Answer(200, json.dumps(state), "application/json")
        except Unavailable as cause:
            state.update(status="unavailable", reason=str(cause))
            return Answer(503, json.dumps(state), "application/json")

    def _change_cart(self, fields, cart):
        slug = fields.get("slug", "")
        if not self.store.product(slug):
            return self._refuse(cart, "There is no such product.")
        text = fields.get("add") or fields.get("count") or ""
        if not re.fullmatch(r"[0-9]{1,3}", text):
            return self._refuse(cart, "The number of pieces must be a whole number.")
        count = int(text) + (cart.get(slug, 0) if "add" in fields else 0)
        problem = carts.change(cart, slug, count)
        if problem:
            return self._refuse(cart, problem)
        return Answer(303, "", headers=[("Location", "/cart"), self._cookie(cart)])

    def _refuse(self, cart, problem):
        return self._page(400, "Cart", pages.cart(self._lines(cart), [problem]), cart)

    def _order(self, fields, cart):
        lines = self._lines(cart)
        if not lines:
            return self._refuse(cart, "Your cart is empty.")
        values = {key: " ".join(fields.get(key, "").split()) for key in ("name", "email", "address")}
        form, problems = fields.get("form", ""), []
        if not 2 <= len(values["name"]) <= 80:
            problems.append("Please give your name (2 to 80 letters).")
        if len(values["email"]) > 120 or not EMAIL.fullmatch(values["email"]):
            problems.append("Please give an e-mail address such as ada@example.com.")
        if not 5 <= len(values["address"]) <= 200:
            problems.append("Please give your address (5 to 200 letters).")
        if not re.fullmatch(r"[0-9a-f]{32}", form):
            problems.append("This form is out of date. Please send it again.")
            form = secrets.token_hex(16)
        if problems:
            body = pages.checkout(lines, form, values, problems)
            return self._page(400, "Checkout", body, cart)
        number = self.store.place_order(form, values, lines)
        thanks = self._page(201, "Thank you", pages.thanks(number, values["email"]))
        thanks.headers.append(self._cookie({}))
        return thanks

    def _lines(self, cart):
        found = [(self.store.product(slug), count) for slug, count in cart.items()]
        return [(product, count) for product, count in found if product]

    def _cart(self, cookie):
        try:
            morsel = SimpleCookie(cookie).get("cart")
        except CookieError:
            return {}
        return carts.unseal(morsel.value, self.key) if morsel else {}

    def _cookie(self, cart):
        value = carts.seal(cart, self.key)
        return ("Set-Cookie", f"cart={value}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax")

    def _page(self, status, title, body, cart=None, query=""):
        where = {"version": self.version, "instance": self.place.instance, "zone": self.place.zone}
        pieces = sum((cart or {}).values())
        return Answer(status, pages.page(title, body, where, pieces, query))


def _fields(text):
    found = parse_qs(text, keep_blank_values=True, max_num_fields=32, errors="strict")
    return {key: values[-1] for key, values in found.items()}
