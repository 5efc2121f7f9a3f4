"""Markdown tables of measured against promised."""


def table(rows):
    """Rows of (what, measured, promised, kept?), and where it is known why a promise may be missed, that."""
    lines = ["| what | measured | promised | kept |", "|---|---|---|---|"]
    for what, measured, promised, kept, *why in rows:
        answer = "yes" if kept else ": ".join(["no", *why])
        lines.append(f"| {what} | {measured} | {promised} | {answer} |")
    return "\n".join(lines)
