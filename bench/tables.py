"""Markdown tables of measured against promised."""


def table(rows):
    """Rows of (what, measured, promised, kept?)."""
    lines = ["| what | measured | promised | kept |", "|---|---|---|---|"]
    for what, measured, promised, kept in rows:
        lines.append(f"| {what} | {measured} | {promised} | {'yes' if kept else 'no'} |")
    return "\n".join(lines)
