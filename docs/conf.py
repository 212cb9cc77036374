"""The site: `make docs` builds it into out/docs."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "shared"), str(ROOT / "docs")]
os.environ["TWINVAE_CACHE"] = "off"

import tables  # noqa: E402  (it needs the path)

project, author, copyright = "twinvae", "The twinvae authors", "The twinvae authors"  # noqa: A001  (Sphinx's name)
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "twinvae"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_extra_path = ["../llms.txt"]
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "code"  # docstrings write names between single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings give shapes and units
autodoc_class_signature = "separated"


def page_of(make: Callable[[], str]) -> type[SphinxDirective]:
    """A directive that stands for the Markdown that a function makes."""

    class Made(SphinxDirective):
        option_spec: ClassVar[dict[str, Any]] = {}

        def run(self) -> list[Any]:
            return self.parse_text_to_nodes(make(), allow_section_headings=True)

    return Made


def setup(app: Sphinx) -> None:
    """Registers the tables, and the pages that lie in the root of the repository."""
    for make in (tables.scores, tables.hyperparameters, tables.commands, tables.answer, tables.measured):
        app.add_directive(make.__name__, page_of(make))
    app.connect("source-read", _root_pages)


OF_ROOT = {
    "README": "index",
    "ARCHITECTURE": "architecture",
    "CONTRIBUTING": "contributing",
    "CHANGELOG": "changes",
    "SECURITY": "security",
}


def _root_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Puts the text of a page of the root where a page says to see it, with links as they are from there."""

    def text(found: re.Match[str]) -> str:
        page = (ROOT / f"{found[1]}.md").read_text(encoding="utf-8")
        page = page.replace("](docs/", "](")
        for name, here in OF_ROOT.items():
            page = page.replace(f"]({name}.md", f"]({here}.md")
        return re.sub(r"\[([^\]]*)\]\((?:CITATION\.cff|LICENSE|constraints\.txt)\)", r"\1", page)

    source[0] = re.sub(r"^See \[\w+\.md\]\(\.\./(\w+)\.md\)\.$", text, source[0], flags=re.M)
