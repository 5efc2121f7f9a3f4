"""What the shop sells, and `python3 -m securecart.catalogue FILE`, which bakes it."""

import os
import sqlite3
import sys

PRODUCTS = (
    # slug, name, category, price in cents, description
    ("lantern-key", "Lantern Hardware Key", "Keys", 4900, "A security key with a soft light that shows when it is asked to sign."),
    ("lantern-key-duo", "Lantern Key, pair", "Keys", 8900, "Two keys enrolled together: one for the pocket, one for the drawer."),
    ("harbour-nfc", "Harbour NFC Tag", "Keys", 1900, "A tag for doors and lockers, sealed in beech wood."),
    ("quay-reader", "Quay Card Reader", "Keys", 3900, "Reads smart cards by USB-C, works without a driver."),
    ("pebble-token", "Pebble Code Token", "Keys", 2500, "Shows a fresh six digit code. The battery lasts seven years."),
    ("moss-safe", "Moss Desk Safe", "Storage", 12900, "A felt lined steel box with a mechanical four wheel lock."),
    ("moss-safe-xl", "Moss Floor Safe", "Storage", 34900, "The same lock, room for twelve binders, bolts to the floor."),
    ("slate-drive", "Slate Drive 1 TB", "Storage", 15900, "A drive that encrypts by itself and is unlocked on its own keypad."),
    ("slate-drive-4", "Slate Drive 4 TB", "Storage", 32900, "Four times the room, the same keypad."),
    ("paper-vault", "Paper Vault", "Storage", 2900, "A waterproof folder for recovery codes and passports."),
    ("tin-sleeve", "Tin Sleeve", "Storage", 1500, "A steel plate for twenty-four words. Survives a house fire."),
    ("fern-router", "Fern Home Router", "Network", 18900, "Updates itself at night and says what it changed."),
    ("fern-mesh", "Fern Mesh Node", "Network", 9900, "Brings the same network to the garden shed."),
    ("drift-tap", "Drift Network Tap", "Network", 21900, "Copies traffic for study, cannot send a single bit back."),
    ("reed-firewall", "Reed Pocket Firewall", "Network", 11900, "Two ports, one switch: open, filtered or closed."),
    ("cable-kit", "Colour Cable Kit", "Network", 2400, "Ten cables in five colours, so that the patch panel explains itself."),
    ("curtain-15", "Curtain Filter 15 inch", "Privacy", 3500, "A screen filter: clear from the front, dark from the side."),
    ("curtain-phone", "Curtain Filter, phone", "Privacy", 1700, "The same for phones. Cut to size with scissors."),
    ("blink-cover", "Blink Camera Covers", "Privacy", 900, "Six sliding covers thinner than a coin."),
    ("hush-pouch", "Hush Signal Pouch", "Privacy", 2700, "No radio gets in or out. Fits a phone and two cards."),
    ("confetti", "Confetti Shredder", "Privacy", 14900, "Cuts to four by twelve millimetres, quietly."),
    ("seal-tape", "Seal Tape", "Privacy", 800, "Leaves a pattern when it is lifted. Fifty metres, numbered."),
    ("field-notes", "Incident Notebook", "Desk", 1200, "Numbered pages, a column for the time, a pen loop."),
    ("calm-mug", "Calm Mug", "Desk", 1600, "For the second hour of an incident. Holds 400 ml."),
)


def bake(path):
    """Writes the catalogue to a new database at `path`."""
    fresh = path + ".new"
    if os.path.exists(fresh):
        os.unlink(fresh)
    db = sqlite3.connect(fresh)
    with db:
        db.execute(
            "CREATE TABLE product (slug TEXT PRIMARY KEY, name TEXT NOT NULL,"
            " category TEXT NOT NULL, cents INTEGER NOT NULL, about TEXT NOT NULL,"
            " place INTEGER NOT NULL)"
        )
        db.executemany(
            "INSERT INTO product VALUES (?, ?, ?, ?, ?, ?)",
            [row + (place,) for place, row in enumerate(PRODUCTS)],
        )
    db.close()
    os.replace(fresh, path)


if __name__ == "__main__":
    bake(sys.argv[1])
    print(f"securecart: {len(PRODUCTS)} products in {sys.argv[1]}")
