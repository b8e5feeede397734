"""HTML pages: one self-contained file with its figures; nothing is fetched and every name is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark; --ink: #222; --quiet: #5c5c5c; --line: #e3e3e3; --ground: #fff; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e7eaee; --quiet: #a3adb8; --line: #343b43; --ground: #14171b; }
  figure img { border-radius: 8px; background: #fff; padding: .5rem; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 70rem;
  color: var(--ink); background: var(--ground);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h1 ~ h1 { margin-top: 4.5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .6rem 0; }
.lead { color: var(--quiet); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem;
  margin: 1.6rem 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.1rem; }
.card b { display: block; font-size: 1.3rem; line-height: 1.3; margin-bottom: .25rem;
  overflow-wrap: anywhere; }
.card span { color: var(--quiet); font-size: .92rem; }
figure { margin: 1.2rem 0; overflow-x: auto; }
figure img { display: block; max-width: max(100%, 44rem); height: auto; }
figcaption { color: var(--quiet); font-size: .92rem; max-width: 46rem; margin-top: .5rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .9rem .32rem 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--quiet); font-weight: 600; vertical-align: bottom; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.name { min-width: 7rem; max-width: 22rem; overflow-wrap: anywhere; }
td.long { min-width: 16rem; }
.note { border-left: 3px solid #d55e00; padding-left: .8rem; }
.quiet { color: var(--quiet); }
code { font-size: .9em; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, .card { break-inside: avoid; } }
"""

SENTENCE = 24  # characters of a cell from which its column has a least width

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
{again}<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(title: str, parts: Iterable[str], refresh: int = 0) -> str:
    """The HTML document. `parts` are HTML from the functions below; `title` is plain text.

    An open page is read again after `refresh` seconds; 0 is never.
    """
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh else ""
    return PAGE.format(title=escape(title), style=STYLE, body="\n".join(parts), again=again)


def heading(text: str) -> str:
    """The title of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Plain text as a paragraph; `kind` is its class in STYLE."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def cards(facts: Iterable[tuple[str, str]]) -> str:
    """Short answers in boxes: (the answer, its meaning)."""
    boxes = (f'<div class="card"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in facts)
    return f'<div class="cards">{"".join(boxes)}</div>'


def picture(figure: Figure, alt: str, caption: str) -> str:
    """A figure with its caption, as SVG inside an image, where scripts do not run."""
    from pgames.plot import figure_bytes

    data = base64.b64encode(figure_bytes(figure, "svg")).decode()
    width = round(96 * figure.get_figwidth())
    image = f'<img alt="{escape(alt)}" width="{width}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]], names: Sequence[int] = (0,)) -> str:
    """A table; the columns at the places `names` hold text, the others numbers."""
    rows = list(rows)
    kinds = [_kind([row[i] for row in rows]) if i in names else "n" for i in range(len(columns))]
    head = "".join(
        f'<th scope="col" class="{k}">{escape(c)}</th>' for k, c in zip(kinds, columns, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{k}">{escape(v)}</td>' for k, v in zip(kinds, row, strict=True))
        + "</tr>\n"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _kind(cells: Sequence[str]) -> str:
    """The class of a column of text; one with sentences stays readable on a narrow screen."""
    return "name long" if max(map(len, cells), default=0) > SENTENCE else "name"


def percent(share: float, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage."""
    return f"{100 * share:.{digits}f}%"


def interval(ends: tuple[float, float], digits: int = 0, sign: str = "") -> str:
    """An interval as "low to high"."""
    low, high = ends
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"
