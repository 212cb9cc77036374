"""Runs the code of the tutorial and puts it, with what it prints, into the pages en.md and ja.md.

    python docs/tutorial/pages.py

A page holds the prose. The cells of tutorial.py stand in it between the marks `<!-- cell NAME -->` and `<!-- end -->`,
in their order. The command fills these places, draws the pictures of both languages, and makes a notebook of each page.
"""

import ast
import io
import json
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
LANGUAGES = ("en", "ja")
CELL = re.compile(r"^# %% (\S+)\n(.*?)(?=^# %% |\Z)", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"<!-- cell (?P<name>\S+) -->\n(?P<body>.*?)<!-- end -->\n", re.DOTALL)
PICTURE = re.compile(r"^!\[[^\]]*\]\(pictures/(?P<file>\S+)\)\n", re.MULTILINE)


class Ran(NamedTuple):
    """What a cell has printed, and the picture that it ends with, if it does."""

    printed: str
    picture: Any


def cells_of(source: str) -> dict[str, str]:
    """The code of each cell, by name."""
    return {name: code.strip("\n") for name, code in CELL.findall(source)}


def in_language(code: str, language: str) -> str:
    """The code of a cell as a page of this language has it."""
    return code.replace('Figures("en")', f'Figures("{language}")')


def run(cells: Mapping[str, str]) -> dict[str, Ran]:
    """Runs the cells one after the other, as a notebook does."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))  # for figures.py
    names: dict[str, Any] = {"__name__": "tutorial"}
    ran = {}
    for name, code in cells.items():
        body = ast.parse(code, filename=f"cell {name}").body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(ast.Module(body, []), f"cell {name}", "exec"), names)
            value = None if last is None else eval(compile(ast.Expression(last.value), f"cell {name}", "eval"), names)
        ran[name] = Ran(printed.getvalue(), value)
    return ran


def pictures_of(ran: Mapping[str, Ran]) -> dict[str, Any]:
    """The picture of each cell that ends with one, by the name of its file."""
    return {f"{name.removesuffix('-picture')}.png": one.picture for name, one in ran.items() if one.picture is not None}


def filled(page: str, language: str, cells: Mapping[str, str], ran: Mapping[str, Ran]) -> str:
    """The page with the code of each cell, and what it has printed, in their places."""

    def block(place: re.Match[str]) -> str:
        name = place["name"]
        text = f"<!-- cell {name} -->\n```python\n{in_language(cells[name], language)}\n```\n"
        if ran[name].printed:
            text += f"\n```text\n{ran[name].printed}```\n"
        return f"{text}<!-- end -->\n"

    return PLACE.sub(block, page)


def code_of(page: str) -> dict[str, str]:
    """The code of each cell as it stands in a page."""
    found = {place["name"]: re.search(r"```python\n(.*?)\n```\n", place["body"], re.DOTALL) for place in places(page)}
    return {name: code[1] for name, code in found.items() if code is not None}


def printed_in(page: str) -> dict[str, str]:
    """What each cell has printed, as it stands in a page."""
    found = {place["name"]: re.search(r"```text\n(.*?)```\n", place["body"], re.DOTALL) for place in places(page)}
    return {name: "" if text is None else text[1] for name, text in found.items()}


def places(page: str) -> list[re.Match[str]]:
    """The places of the cells in a page."""
    return list(PLACE.finditer(page))


def notebook(page: str) -> dict[str, Any]:
    """A page as a Jupyter notebook (nbformat 4.5). What its code draws is left out of the prose."""
    parts, end = [], 0
    for place in places(page):
        parts += [("markdown", page[end : place.start()]), ("code", code_of(page)[place["name"]])]
        end = place.end()
    parts.append(("markdown", page[end:]))
    cells = []
    for kind, text in parts:
        source = PICTURE.sub("", text).strip("\n")
        if source:
            more = {"outputs": [], "execution_count": None} if kind == "code" else {}
            lines = source.splitlines(keepends=True)
            cells.append({"id": f"cell-{len(cells)}", "cell_type": kind, "metadata": {}, "source": lines} | more)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def main() -> None:
    """Runs the code, and writes pages, pictures and notebooks."""
    cells = cells_of((HERE / "tutorial.py").read_text(encoding="utf-8"))
    ran = run(cells)
    for language in LANGUAGES:
        place = HERE / f"{language}.md"
        page = filled(place.read_text(encoding="utf-8"), language, cells, ran)
        place.write_text(page, encoding="utf-8")
        made = json.dumps(notebook(page), ensure_ascii=False, indent=1)
        (HERE / f"{language}.ipynb").write_text(f"{made}\n", encoding="utf-8")
        folder = HERE / "pictures" / language
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures_of(ran).items():
            picture.save(folder / name, language)
        print(f"wrote {place}, its pictures and {language}.ipynb")


if __name__ == "__main__":
    main()
