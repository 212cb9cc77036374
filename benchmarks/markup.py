"""The HTML that the reports are made of: a page that needs no other file, its tables, lists and pictures."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

NOT_MEASURED = "not measured"
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}table{border-collapse:collapse;width:100%;
font-size:.85rem;margin:1rem 0}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}th{background:#f3f3f3}img{max-width:100%;min-width:38rem;height:auto}figcaption,small{color:#555}
figure{margin:1.5rem 0;overflow-x:auto}pre{background:#f3f3f3;padding:.8rem;overflow-x:auto}.wide{overflow-x:auto}
.met{font-weight:600;color:#005a42}.missed{font-weight:600;color:#9a3d00}.none{color:#767676}
"""


class Html(str):
    """Text that is HTML already. Whatever else stands in a cell is escaped, so that no name can hold markup."""

    __slots__ = ()


def document(title: str, parts: Iterable[str], more_style: str = "") -> str:
    """Returns a whole page. The parts are HTML already and follow the title, which is plain text, in their order."""
    title = escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}{more_style}</style></head>'
        f"<body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )


def as_figure(png: bytes, description: str, caption: str) -> str:
    """Returns a figure that holds the picture itself, so that the page needs no file beside it."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{escape(description)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def as_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table, or the words "not measured" if it has no rows. Cells are plain text, or `Html`."""
    body = "".join("<tr>" + "".join(f"<td>{as_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return f"<p>{missing()}</p>"
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def as_list(lines: Iterable[str]) -> str:
    """Returns a list of the lines, which are plain text; nothing if there are none."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def as_html(cell: str) -> Html:
    """Returns a cell as HTML: escaped, unless it is HTML already."""
    return cell if isinstance(cell, Html) else Html(escape(cell))


def missing() -> Html:
    """Returns what a cell without a measurement says."""
    return Html(f'<span class="none">{NOT_MEASURED}</span>')


def as_text(text: str) -> Html:
    """Returns plain text as HTML; the words "not measured" look as they do everywhere."""
    return missing() if text == NOT_MEASURED else as_html(text)
