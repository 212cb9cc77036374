"""Whole pages: the same figures make the same bytes, and no name in the data is taken for an id."""

import json
import re

from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure

from twinvae.pages.document import figures


def page() -> str:
    source = ColumnDataSource({"id": ["p1001", "m1", "</script>"], "x": [1.0, 2.0, 3.0]})
    one, two = figure(), figure()
    one.scatter("x", "x", source=source)
    two.scatter("x", "x", source=source)
    two.x_range = one.x_range
    two.x_range.js_on_change("start", CustomJS(args={"id": one}, code="id.width = 5"))
    places, script = figures({"one": one, "two": two})
    return "".join([*places.values(), script])


def test_the_same_figures_make_the_same_bytes() -> None:
    assert page() == page()


def test_ids_are_counted_and_names_in_the_data_are_kept() -> None:
    text = page()
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found
    assert '["id",["p1001","m1","</script>"]]' in json.dumps(json.loads(found[1]), separators=(",", ":"))
    assert not re.search(r'"id":"p\d', found[1])
    one, two = json.loads(found[1])["roots"]
    assert two["attributes"]["x_range"] == {"id": one["attributes"]["x_range"]["id"]}
    places = json.loads(text[text.index('[{"docid"') : text.index("));</script>")])[0]["roots"]
    assert places == {one["id"]: "figure-1", two["id"]: "figure-2"}
