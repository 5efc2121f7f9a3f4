"""The cart: a signed cookie. Anything that was tampered with, or is old, is an empty cart."""

import base64
import hashlib
import hmac
import json

MOST_LINES, MOST_PIECES = 20, 9


def seal(cart, key):
    body = base64.urlsafe_b64encode(json.dumps(cart, separators=(",", ":")).encode()).decode()
    return f"{body.rstrip('=')}.{_mac(body.rstrip('='), key)}"


def unseal(text, key):
    body, _, mac = text.partition(".")
    if not hmac.compare_digest(_mac(body, key).encode(), mac.encode()):
        return {}
    try:
        cart = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return cart if isinstance(cart, dict) else {}


def _mac(body, key):
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()[:32]


def change(cart, slug, count):
    """Sets how many of a product are in the cart; answers what is wrong, if anything."""
    if not 0 <= count <= MOST_PIECES:
        return f"Please choose between 0 and {MOST_PIECES} pieces."
    if count and slug not in cart and len(cart) >= MOST_LINES:
        return f"A cart holds {MOST_LINES} different products at most."
    if count:
        cart[slug] = count
    else:
        cart.pop(slug, None)
    return None
