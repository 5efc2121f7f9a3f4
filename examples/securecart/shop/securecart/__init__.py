"""SecureCart: a small shop that runs on many machines at once.

    request -> server.py -> shop.py -> store.py (SQLite)
                              |
                              +-> pages.py (HTML)

It keeps nothing about a visitor on the machine: the cart travels in a signed
cookie, so any machine can serve any request. Python's standard library only.
"""
