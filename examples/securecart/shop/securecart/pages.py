"""The shop's pages. Every value goes through `escape`; nothing is pasted in raw."""

from html import escape as _escape

STYLE = """:root{--ink:#1d2430;--soft:#5d6b7e;--line:#dfe5ec;--tint:#f5f7fa;--go:#0b6e5d}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--tint)}
a{color:var(--go)}header,footer{background:#fff;border-bottom:1px solid var(--line)}
header>div,main,footer>div{max-width:68rem;margin:auto;padding:1rem}
header>div{display:flex;gap:1rem;align-items:center;flex-wrap:wrap}
header a{text-decoration:none}.brand{font-weight:700;font-size:1.25rem;color:var(--ink)}
form.search{flex:1;min-width:12rem}input,select,textarea{font:inherit;padding:.5rem;border:1px solid var(--line);border-radius:.4rem;width:100%}
button{font:inherit;font-weight:600;padding:.5rem 1rem;border:0;border-radius:.4rem;background:var(--go);color:#fff;cursor:pointer}
nav{margin-bottom:1rem}nav a{margin-right:1rem}.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr))}
.card{background:#fff;border:1px solid var(--line);border-radius:.6rem;padding:1rem;display:flex;flex-direction:column;gap:.4rem}
.card h2{font-size:1.05rem;margin:0}.card p{margin:0;flex:1;color:var(--soft)}.price{font-weight:700}
.row{display:flex;gap:.6rem;align-items:center;justify-content:space-between}.row input,.row select{width:5rem}
table{width:100%;border-collapse:collapse;background:#fff}td,th{padding:.6rem;text-align:left;border-bottom:1px solid var(--line)}
.error{background:#fdecea;border:1px solid #e5b4ae;border-radius:.4rem;padding:.6rem 1rem}
.error ul{margin:0;padding-left:1.2rem}label{display:block;margin:.8rem 0 .2rem;font-weight:600}
.narrow{max-width:34rem}footer{border-top:1px solid var(--line);border-bottom:0;color:var(--soft);font-size:.875rem;margin-top:2rem}
"""


def escape(value):
    return _escape(str(value), quote=True)


def money(cents):
    return f"€ {cents // 100}.{cents % 100:02d}"


def page(title, body, where, pieces=0, query=""):
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(title)} · SecureCart</title><link rel="stylesheet" href="/style.css"></head><body>
<header><div><a class="brand" href="/">SecureCart</a>
<form class="search" action="/" role="search"><input type="search" name="q" value="{escape(query)}" placeholder="Search" aria-label="Search" maxlength="100"></form>
<a href="/cart">Cart ({pieces})</a></div></header>
<main>{body}</main>
<footer><div>SecureCart {escape(where['version'])} · served by {escape(where['instance'])} in {escape(where['zone'])}</div></footer>
</body></html>
"""


def _add(product):
    return (
        '<form method="post" action="/cart" class="row">'
        f'<input type="hidden" name="slug" value="{escape(product["slug"])}">'
        '<input type="hidden" name="add" value="1">'
        f'<span class="price">{money(product["cents"])}</span><button>Add to cart</button></form>'
    )


def catalogue(products, categories, category, query):
    links = ['<a href="/">All</a>'] + [f'<a href="/?category={escape(c)}">{escape(c)}</a>' for c in categories]
    cards = "".join(
        f'<article class="card"><h2><a href="/product/{escape(p["slug"])}">{escape(p["name"])}</a></h2>'
        f'<p>{escape(p["about"])}</p>{_add(p)}</article>'
        for p in products
    )
    if not cards:
        cards = f"<p>Nothing found for “{escape(query)}”.</p>"
    title = f"<h1>{escape(category)}</h1>" if category else ""
    return f'<nav aria-label="Categories">{"".join(links)}</nav>{title}<div class="grid">{cards}</div>'


def product(row):
    return (
        f'<article class="card narrow"><h1>{escape(row["name"])}</h1><p>{escape(row["about"])}</p>'
        f'<p><a href="/?category={escape(row["category"])}">{escape(row["category"])}</a></p>{_add(row)}</article>'
    )


def errors(problems):
    if not problems:
        return ""
    items = "".join(f"<li>{escape(p)}</li>" for p in problems)
    return f'<div class="error" role="alert"><ul>{items}</ul></div>'


def cart(lines, problems=()):
    if not lines:
        return errors(problems) + '<h1>Cart</h1><p>Your cart is empty. <a href="/">Look around</a>.</p>'
    rows = "".join(
        f'<tr><td><a href="/product/{escape(p["slug"])}">{escape(p["name"])}</a></td><td>'
        '<form method="post" action="/cart" class="row">'
        f'<input type="hidden" name="slug" value="{escape(p["slug"])}">'
        f'<input type="number" name="count" min="0" max="9" value="{count}" aria-label="Pieces">'
        f'<button>Change</button></form></td><td>{money(p["cents"] * count)}</td></tr>'
        for p, count in lines
    )
    total = money(sum(p["cents"] * count for p, count in lines))
    return (
        f"{errors(problems)}<h1>Cart</h1><table><tr><th>Product</th><th>Pieces</th><th>Price</th></tr>{rows}"
        f'<tr><th>Total</th><td></td><th>{total}</th></tr></table><p><a href="/checkout">To checkout</a></p>'
    )


def checkout(lines, form, values, problems=()):
    def field(name, label, kind="text", most=80):
        value = escape(values.get(name, ""))
        return (
            f'<label for="{name}">{label}</label><input id="{name}" name="{name}" type="{kind}"'
            f' value="{value}" maxlength="{most}" required>'
        )

    total = money(sum(p["cents"] * count for p, count in lines))
    return (
        f'<div class="narrow"><h1>Checkout</h1>{errors(problems)}<form method="post" action="/checkout">'
        f'<input type="hidden" name="form" value="{escape(form)}">'
        f'{field("name", "Name")}{field("email", "E-mail", "email", 120)}{field("address", "Address", most=200)}'
        f"<p>You pay {total} on delivery.</p><button>Place order</button></form></div>"
    )


def thanks(number, email):
    return (
        f'<h1>Thank you</h1><p>Your order is <strong id="order">{escape(number)}</strong>.'
        f" We write to {escape(email)} when it leaves.</p>"
    )
