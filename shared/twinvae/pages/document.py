"""A whole page: its style, its figures by Bokeh, and its small callbacks, all in one file."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from twinvae.pages.markup import Html

if TYPE_CHECKING:
    from bokeh.model import Model


def document(title: str, parts: Iterable[str], *, language: str = "en", head: str = "", style: str = "") -> str:
    """Returns a whole page. The parts are HTML already and follow the title, which is plain text, in their order.

    `head` is HTML for the head, such as `bokeh()`; `style` is more CSS.
    """
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,">'  # else browsers ask for one
        f"<style>{_file('style.css')}{style}</style>{head}</head>"
        f"<body><main><h1>{escape(title)}</h1>{''.join(parts)}</main></body></html>\n"
    )


def bokeh() -> Html:
    """Returns Bokeh's own JavaScript for the head of a page, 1.3 MB of it, so that figures need no network."""
    from bokeh.resources import Resources

    return Html(Resources(mode="inline", components=["bokeh"]).render_js())


def bokeh_file() -> str:
    """Returns Bokeh's own JavaScript for a file beside many pages: see `bokeh_beside`."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def bokeh_beside(name: str) -> Html:
    """Returns for the head of a page that Bokeh's JavaScript is the file of this name, in the folder of the page."""
    return Html(f'<script src="{escape(name)}"></script>')


def figures(models: Mapping[str, "Model"]) -> tuple[dict[str, Html], Html]:
    """Returns the place of each of Bokeh's models in the page, and the script that puts them all there.

    They are of one document: ranges and sources that they share stay shared. The same models make the same text, whose
    ids count from 1 in every page; Bokeh's own embedding draws them at random.

    Raises:
        RuntimeError: from Bokeh, if a model is in another document already.
    """
    from bokeh.document import Document

    whole = Document()
    with whole.models.freeze():  # else all models are walked through again for each of them
        for model in models.values():
            whole.add_root(model)
    written, ids = _counted(whole.to_json(deferred=False))
    places = {name: f"figure-{number}" for number, name in enumerate(models, 1)}
    roots = {ids[model.id]: places[name] for name, model in models.items()}
    item = {"docid": "figures", "roots": roots, "root_ids": list(roots)}
    call = (
        'document.addEventListener("DOMContentLoaded", () => Bokeh.embed.embed_items('
        f'{{figures: JSON.parse(document.getElementById("figures").textContent)}}, [{json.dumps(item)}]));'
    )
    found = {name: Html(f'<div class="plot" id="{place}"></div>') for name, place in places.items()}
    return found, Html(f"{data('figures', written)}<script>{call}</script>")


def script(name: str) -> Html:
    """Returns one of the scripts beside this file, to stand in a page."""
    return Html(f"<script>{_file(name)}</script>")


def data(name: str, value: Any) -> Html:
    """Returns facts that scripts of the page read, as JSON in an element of this id."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{escape(name)}">{text}</script>')


def _counted(written: Any) -> tuple[Any, dict[str, str]]:
    """Returns a document that Bokeh wrote, its ids counted from 1 in their order, and the new id of each old one.

    An object with `id` is a model or stands for one: what is no model's is written otherwise, as a list of its entries.
    """
    ids: dict[str, str] = {}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: ids.setdefault(one, f"m{len(ids) + 1}") if key == "id" else renamed(one)
                for key, one in value.items()
            }
        return [renamed(one) for one in value] if isinstance(value, (list, tuple)) else value

    return renamed(written), ids


def _file(name: str) -> str:
    return resources.files("twinvae.pages").joinpath(name).read_text(encoding="utf-8")
