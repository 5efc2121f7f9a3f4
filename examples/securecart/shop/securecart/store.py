"""The shop's two databases: the catalogue, baked and read-only; the orders, this machine's own.

A connection is opened per request (0.1 ms). A connection kept open would go on
answering from a file that is no longer there, and the health check would lie.
"""

import contextlib
import secrets
import sqlite3
import time

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0/O, 1/I


class Unavailable(Exception):
    """A database cannot be used; the text is for the log."""


class Store:
    def __init__(self, catalogue, orders):
        self.catalogue = catalogue
        self.orders = orders

    def prepare(self):
        """Makes the orders database when the machine is new."""
        with self._open(self.orders, "rwc") as db, db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY,"
                " form TEXT NOT NULL UNIQUE, placed INTEGER NOT NULL, name TEXT NOT NULL,"
                " email TEXT NOT NULL, address TEXT NOT NULL, cents INTEGER NOT NULL)"
            )
            db.execute(
                "CREATE TABLE IF NOT EXISTS line (number TEXT NOT NULL REFERENCES orders,"
                " slug TEXT NOT NULL, count INTEGER NOT NULL, cents INTEGER NOT NULL)"
            )

    @contextlib.contextmanager
    def _open(self, path, mode):
        try:
            db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=5)
        except sqlite3.Error as cause:
            raise Unavailable(f"cannot open {path}: {cause}") from cause
        try:
            db.row_factory = sqlite3.Row
            yield db
        except sqlite3.Error as cause:
            raise Unavailable(f"cannot use {path}: {cause}") from cause
        finally:
            db.close()

    def check(self):
        """Reads from both databases; answers how many products there are."""
        with self._open(self.catalogue, "ro") as db:
            count = db.execute("SELECT count(*) FROM product").fetchone()[0]
        if not count:
            raise Unavailable("the catalogue is empty")
        with self._open(self.orders, "rw") as db:
            db.execute("SELECT number FROM orders LIMIT 1").fetchone()
        return count

    def products(self, query="", category=""):
        """Products whose words all occur in name, category or description."""
        sql, values = "SELECT * FROM product WHERE 1", []
        for word in query.split()[:8]:
            word = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            sql += " AND (name || ' ' || category || ' ' || about) LIKE ? ESCAPE '\\'"
            values.append(f"%{word}%")
        if category:
            sql += " AND category = ?"
            values.append(category)
        with self._open(self.catalogue, "ro") as db:
            return db.execute(sql + " ORDER BY place", values).fetchall()

    def product(self, slug):
        with self._open(self.catalogue, "ro") as db:
            return db.execute("SELECT * FROM product WHERE slug = ?", (slug,)).fetchone()

    def categories(self):
        with self._open(self.catalogue, "ro") as db:
            rows = db.execute("SELECT category FROM product GROUP BY category ORDER BY min(place)")
            return [row["category"] for row in rows]

    def place_order(self, form, customer, lines):
        """Stores an order and answers its number; the same form again answers the same number."""
        number = "SC-" + "".join(secrets.choice(ALPHABET) for _ in range(8))
        total = sum(product["cents"] * count for product, count in lines)
        with self._open(self.orders, "rw") as db, db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute("SELECT number FROM orders WHERE form = ?", (form,)).fetchone()
            if known:
                return known["number"]
            db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, form, int(time.time()), customer["name"], customer["email"],
                 customer["address"], total),
            )
            db.executemany(
                "INSERT INTO line VALUES (?, ?, ?, ?)",
                [(number, product["slug"], count, product["cents"]) for product, count in lines],
            )
        return number
