/* The callbacks of a detection's page: what is in view, which threshold, and what the reader marks.
   The figures are Bokeh's; the texts come from the page, in its language. */
"use strict";
(() => {
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const by = id => document.getElementById(id);
  const facts = read("facts"), said = read("words");
  const fill = (text, parts) => text.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
  const short = number => Number(number.toPrecision(3)).toString();
  const marks = new Map();  // of events: their place -> "real" or "expected"
  const missed = [];        // stretches that the reader has drawn: [first row, row after the last]
  let page, level = facts.level;

  // Rows and places on the axis. The clock is a line with bends; `at` and `rowAt` go along it.
  function bend(values, value) {  // the last place whose value is not above this one
    let low = 0, high = values.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; values[middle] <= value ? low = middle : high = middle - 1; }
    return low;
  }
  function along(from, to, value) {
    const i = Math.min(bend(from, value), from.length - 2), part = (value - from[i]) / (from[i + 1] - from[i]);
    return to[i] + part * (to[i + 1] - to[i]);
  }
  const clock = () => page.clock.data;
  const at = row => along(clock().row, clock().place, row);
  const rowAt = place => along(clock().place, clock().row, place);
  const edge = row => (at(row - 1) + at(row)) / 2;
  function offset(row) {
    let found = "";
    for (const [first, text] of facts.clock.offsets) if (first <= row) found = text;
    return found;
  }
  const minutes = text => text.length < 5 ? 0 : (text[0] === "-" ? -1 : 1) * (+text.slice(1, 3) * 60 + +text.slice(-2));
  function stamp(row) {
    if (facts.clock.kind === "row") return String(row);
    if (facts.clock.kind === "number") return String(+at(row).toPrecision(12));
    const zone = offset(row), shift = minutes(zone) - minutes(offset(0));
    const text = new Date(Math.round(at(row)) + shift * 60000).toISOString().slice(0, -1);
    return text.replace("T", " ").replace(/\.000$/, "").replace(/(:\d\d):00$/, "$1") + zone;
  }

  // What is in view: all points, or the least and the largest of each part, so that no extreme is lost.
  function scoreAt(row) {
    const { row: rows, value } = page.score.detail.data;
    return value[rows ? bend(rows, row) : row];
  }
  function thin(panel) {
    const data = panel.detail.data, rows = data.row, value = data.value, expected = data.expected;
    const range = panel.figure.x_range, known = row => rows ? bend(rows, row) : row;
    const first = Math.max(0, known(Math.max(0, Math.floor(rowAt(range.start)) - 1)));
    const last = Math.min(value.length - 1, known(Math.ceil(rowAt(range.end)) + 1));
    const most = 2 * Math.max(300, panel.figure.inner_width || 1000), size = Math.ceil((last - first + 1) / most * 2);
    const chosen = [];
    if (size <= 2) for (let i = first; i <= last; i++) chosen.push(i);
    else for (let begin = first; begin <= last; begin += size) {
      const kept = new Set();
      for (const column of expected ? [value, expected] : [value]) {
        let low = -1, high = -1;
        for (let i = begin; i < Math.min(begin + size, last + 1); i++) {
          if (Number.isNaN(column[i])) continue;
          if (low < 0 || column[i] < column[low]) low = i;
          if (high < 0 || column[i] > column[high]) high = i;
        }
        if (low >= 0) { kept.add(low); kept.add(high); } else kept.add(begin);
      }
      chosen.push(...[...kept].sort((a, b) => a - b));
    }
    const out = { x: [], row: [], stamp: [], score: [], value: [] };
    if (expected) out.expected = [];
    const add = (row, i) => {
      out.x.push(at(row)); out.row.push(row); out.stamp.push(stamp(row)); out.score.push(scoreAt(row));
      const plain = i < 0 ? NaN : value[i];
      out.value.push(panel.floor === null ? plain : Math.max(plain, panel.floor));
      if (expected) out.expected.push(i < 0 ? NaN : expected[i]);
    };
    let before = -1, hole = 0;
    for (const i of chosen) {
      const row = rows ? rows[i] : i;
      while (hole < facts.absent.length && facts.absent[hole] < before) hole++;
      if (before >= 0 && facts.absent[hole] < row) add(before, -1);  // no line across rows that are absent
      add(row, i);
      before = row;
    }
    panel.shown.data = out;
  }
  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const panel of [...page.panels, page.score]) if (panel.figure.visible) thin(panel);
      const start = Math.max(0, Math.ceil(rowAt(page.x.start))), end = Math.min(facts.rows, Math.floor(rowAt(page.x.end)) + 1);
      by("view").textContent = fill(said.view, { first: stamp(start), last: stamp(Math.max(start, end - 1)) });
    });
  }
  function show(start, end) {  // rows
    const whole = page.x.bounds;
    page.x.setv({ start: Math.max(whole[0], at(start)), end: Math.min(whole[1], at(end)) });
  }
  function step(zoom, move) {
    const [low, high] = page.x.bounds, width = Math.min(high - low, (page.x.end - page.x.start) * zoom);
    const middle = (page.x.start + page.x.end) / 2 + move * width;
    const start = Math.min(Math.max(low, middle - width / 2), high - width);
    page.x.setv({ start, end: start + width });
  }
  function showChannels(names) {  // as many as there are figures for
    const chosen = names.slice(0, page.panels.length).map(name => facts.channels.indexOf(name));
    for (const [index, panel] of page.panels.entries()) {
      panel.figure.visible = index < chosen.length;
      if (index >= chosen.length) continue;
      const sides = facts.hatched[chosen[index]];
      panel.detail = page.details[chosen[index]];
      panel.figure.title.text = facts.titles[chosen[index]];
      panel.hatched.data = { left: sides.map(side => side[0]), right: sides.map(side => side[1]) };
    }
    for (const box of document.querySelectorAll("#channels input")) {
      box.checked = chosen.includes(facts.channels.indexOf(box.value));
      box.disabled = !box.checked && chosen.length === page.panels.length;
    }
    redraw();
  }

  // Events: the rows of the table, and the strips in the figures.
  const row = place => document.querySelector(`#events tr[data-event="${place}"]`);
  function strips() {
    const colors = { real: facts.colors.real, expected: facts.colors.expected };
    const found = facts.levels[level].events, data = { left: [], right: [], event: [], color: [], hatch: [] };
    const add = (start, end, event, color, hatch) => {
      data.left.push(edge(start)); data.right.push(edge(end)); data.event.push(event); data.color.push(color);
      data.hatch.push(hatch);
    };
    for (const place of found) {
      const mark = marks.get(place);
      add(...facts.spans[place], place, colors[mark] || facts.colors.event, mark === "expected" ? "." : " ");
    }
    for (const [start, end] of missed) add(start, end, -1, facts.colors.missed, "x");
    page.events.selected.indices = [];
    page.events.data = data;
  }
  function open(place) {
    const [start, end] = facts.spans[place], around = Math.max(facts.window, end - start);
    for (const other of document.querySelectorAll("#events tr[aria-current]")) other.removeAttribute("aria-current");
    row(place).setAttribute("aria-current", "true");
    if (facts.channels.length > facts.first) showChannels(facts.of_event[place]);
    show(Math.max(0, start - around), Math.min(facts.rows - 1, end + around));
  }
  function setLevel(index) {
    level = index;
    const { threshold, events, option, expected } = facts.levels[level], here = new Set(events);
    for (const line of document.querySelectorAll("#events tr[data-event]")) {
      const place = +line.dataset.event;
      line.hidden = !here.has(place);
      line.querySelector(".times").textContent = fill(said.times, { times: short(facts.scores[place] / threshold) });
    }
    by("none").hidden = events.length > 0;
    const found = fill(said.found, { threshold: short(threshold), events: events.length });
    by("found").textContent = `${found} ${expected}`;
    by("option").textContent = option || "";
    by("option-line").hidden = !option || level === facts.level;
    by("threshold").setAttribute("aria-valuetext", found);
    by("reset").disabled = level === facts.level;
    page.threshold.data = { x: page.threshold.data.x, y: [threshold, threshold] };
    strips();
  }

  // Labels.
  function listMarks() {
    const list = by("missed");
    list.replaceChildren(...missed.map(([start, end], index) => {
      const item = document.createElement("li"), remove = document.createElement("button");
      item.textContent = fill(said.stretch, { start, end, first: stamp(start), last: stamp(end - 1) }) + " ";
      remove.textContent = said.remove;
      remove.onclick = () => { missed.splice(index, 1); listMarks(); };
      item.append(remove);
      return item;
    }));
    by("save").disabled = marks.size + missed.length === 0;
    by("marked").textContent = fill(said.marked, { events: marks.size, missed: missed.length });
    strips();
  }
  const between = (low, value, high) => Math.min(high, Math.max(low, value));
  function stretch(first, last) {  // puts a stretch into the form
    by("first").value = between(0, Math.round(first), facts.rows - 1);
    by("last").value = between(0, Math.round(last), facts.rows - 1);
    tell();
  }
  function tell() {
    const [first, last] = [+by("first").value, +by("last").value];
    const right = Number.isInteger(first) && Number.isInteger(last) && 0 <= first && first <= last && last < facts.rows;
    by("stretch").textContent = right ? fill(said.between, { first: stamp(first), last: stamp(last) }) : said.wrong;
    by("add").disabled = !right;
  }
  function labels() {
    const one = (mark, [start, end], times) => ({  // time stamps are those of the file, or none
      mark, start, end, start_time: times ? times[0] : null, last_time: times ? times[1] : null,
    });
    const marked = [...marks].map(([place, mark]) => one(mark, facts.spans[place], facts.stamps[place]));
    marked.push(...missed.map(span => one("missed", span)));
    return { format: "twinvae labels", version: 1, series: facts.source, marks: marked.sort((a, b) => a.start - b.start) };
  }
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(labels(), null, 1) + "\n"], { type: "application/json" }));
    link.download = "labels.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function start() {
    const found = window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name("page");
    if (!found) return requestAnimationFrame(start);
    page = found.args instanceof Map ? Object.fromEntries(found.args) : found.args;
    const plain = value => value instanceof Map ? Object.fromEntries(value) : value;
    page.panels = page.panels.map(plain); page.score = plain(page.score); page.overview = plain(page.overview);
    for (const name of ["start", "end"]) page.x.properties[name].change.connect(redraw);
    window.addEventListener("resize", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const view of Object.values(Bokeh.index.roots || {})) if (view.invalidate_render) view.invalidate_render();
    });
    for (const button of document.querySelectorAll("#events button")) {
      button.onclick = () => { open(+button.closest("tr").dataset.event); by("series").scrollIntoView(); };
    }
    for (const choice of document.querySelectorAll("#events select")) {
      choice.onchange = () => {
        const place = +choice.closest("tr").dataset.event;
        choice.value ? marks.set(place, choice.value) : marks.delete(place);
        listMarks();
      };
    }
    for (const box of document.querySelectorAll("#channels input")) {
      box.onchange = () => showChannels([...document.querySelectorAll("#channels input:checked")].map(one => one.value));
    }
    const whole = () => page.x.setv({ start: page.x.bounds[0], end: page.x.bounds[1] });
    for (const [id, act] of Object.entries({
      whole, in: () => step(0.5, 0), out: () => step(2, 0), back: () => step(1, -0.5), on: () => step(1, 0.5), save,
      use: () => stretch(rowAt(page.x.start), rowAt(page.x.end)),
      add: () => { missed.push([+by("first").value, +by("last").value + 1]); listMarks(); },
      reset: () => { by("threshold").value = facts.level; setLevel(facts.level); },
      all: () => showChannels(facts.channels), few: () => showChannels(facts.channels.slice(0, facts.first)),
    })) if (by(id)) by(id).onclick = act;
    by("threshold").oninput = () => setLevel(+by("threshold").value);
    for (const id of ["first", "last"]) by(id).oninput = tell;
    page.events.selected.properties.indices.change.connect(() => {
      const place = page.events.data.event[page.events.selected.indices[0]];
      if (place >= 0) { open(place); row(place).scrollIntoView({ block: "nearest" }); }
    });
    page.windows.selected.properties.indices.change.connect(() => {
      const rows = page.windows.selected.indices.map(i => page.windows.data.row[i]);
      if (rows.length) stretch(Math.min(...rows), Math.max(...rows));
    });
    thin(page.overview);
    setLevel(level); listMarks(); stretch(0, 0); showChannels(facts.channels.slice(0, facts.first));
    document.body.dataset.ready = "true";
  }
  start();
})();
