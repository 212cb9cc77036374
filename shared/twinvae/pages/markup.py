"""The HTML that pages are made of: tables, lists and pictures. What is no HTML already is escaped."""

import base64
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from html import escape

NOT_MEASURED = "not measured"


class Html(str):
    """Text that is HTML already. Whatever else stands in a cell is escaped, so that no name can hold markup."""

    __slots__ = ()


def as_figure(png: bytes, description: str, caption: str) -> str:
    """Returns a figure that holds the picture itself, so that the page needs no file beside it."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{escape(description)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def as_plots(places: Iterable[str], words: str, caption: str) -> str:
    """Returns the places of interactive figures side by side, or one below the other where there is no room.

    `words` say what they show to who does not see them; a table near by holds their numbers.
    """
    return (
        f'<figure><div class="panels" role="img" aria-label="{escape(words)}">{"".join(places)}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def as_details(summary: str, content: str) -> str:
    """Returns content, which is HTML already, that is shown on demand, in a box of its own height."""
    return f'<details><summary>{escape(summary)}</summary><div class="tall" tabindex="0">{content}</div></details>'


def as_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", numbers: Container[str] = ()
) -> str:
    """Returns a table, or the words "not measured" if it has no rows. Cells are plain text, or `Html`.

    The columns that are named as `numbers` stand flush right.
    """
    kinds = ['class="n"' if column in numbers else "" for column in columns]
    body = "".join(
        f"<tr>{''.join(f'<td {kind}>{as_html(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    if not body:
        return f"<p>{missing()}</p>"
    head = "".join(f'<th scope="col" {kind}>{escape(column)}</th>' for kind, column in zip(kinds, columns, strict=True))
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    table = f"<table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table.replace(" >", ">")}</div>'


def as_sections(sections: Mapping[str, str]) -> list[str]:
    """Returns the sections of a long page under their titles, with links to all others below the first.

    A title is plain text, a section HTML already.
    """
    names = {title: re.sub(r"\W+", "-", title.lower()).strip("-") for title in sections}
    parts = [f'<h2 id="{names[title]}">{escape(title)}</h2>{content}' for title, content in sections.items()]
    links = " ".join(f'<a href="#{name}">{escape(title)}</a>' for title, name in list(names.items())[1:])
    return [*parts[:1], f'<nav class="controls" aria-label="On this page">{links}</nav>' if links else "", *parts[1:]]


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
