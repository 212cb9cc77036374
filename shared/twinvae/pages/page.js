/* The callbacks of a detection's page: what is in view, which threshold, and what the reader marks.
   The figures are Bokeh's; the texts come from the page, in its language. */
"use strict";
(() => {
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const by = id => document.getElementById(id);
  const facts = read("facts"), said = read("words");
  const fill = (text, parts) => text.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
  const short = number => Number(number.toPrecision(3)).toString();
  const plain = value => value instanceof Map ? Object.fromEntries(value) : value;
  const marks = new Map();  // of events: their place -> "real" or "expected"
  const missed = [];        // stretches that the reader has named: [first row, row after the last]
  let page, level = facts.level, channels = [];

  // Rows and places on the axis. The clock is a line with bends; `at` and `rowAt` go along it.
  function lastAtMost(values, value) {
    let low = 0, high = values.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; values[middle] <= value ? low = middle : high = middle - 1; }
    return low;
  }
  function along(from, to, value) {
    const i = Math.min(lastAtMost(from, value), from.length - 2), part = (value - from[i]) / (from[i + 1] - from[i]);
    return to[i] + part * (to[i + 1] - to[i]);
  }
  const clock = () => page.clock.data;
  const inside = row => Math.min(Math.max(row, 0), facts.rows - 1);
  const at = row => along(clock().row, clock().place, inside(row));
  const rowAt = place => along(clock().place, clock().row, place);
  function sides([start, end]) {  // half a step before the first row and after the last
    const before = at(start) - at(start - 1), after = at(end) - at(end - 1);
    const usual = (at(facts.rows - 1) - at(0)) / Math.max(facts.rows - 1, 1);
    const step = Math.min(usual, ...[before, after].filter(size => size > 0));
    return [at(start) - step / 2, at(end - 1) + step / 2];
  }
  function stamp(row) {
    if (facts.clock.kind === "row") return String(row);
    if (facts.clock.kind === "number") return String(+at(row).toPrecision(15));
    const offsets = facts.clock.offsets, [, minutes, text] = offsets.findLast(one => one[0] <= row) || [0, 0, ""];
    const place = at(row) + (minutes - (offsets.length ? offsets[0][1] : 0)) * 60000;
    const whole = Math.floor(place), micro = Math.round((place - whole) * 1000) % 1000;
    const time = new Date(micro || place - whole < 0.5 ? whole : whole + 1).toISOString().slice(0, -1).replace("T", " ");
    return (micro ? time + String(micro).padStart(3, "0") : time.replace(/\.000$/, "").replace(/(:\d\d):00$/, "$1")) + text;
  }

  // What is in view: all points, or the least and the largest of each part, so that no extreme is lost.
  function thin(panel) {
    const { row: rows, value, expected, score } = panel.detail.data;
    const range = panel.figure.x_range, known = row => rows ? lastAtMost(rows, row) : row;
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
    const out = { x: [], row: [], stamp: [], score: [], value: [], drawn: [] };
    if (expected) out.expected = [];
    const all = page.score.detail.data.value;  // where all rows are kept, as in the panel
    const add = (row, i) => {
      const one = i < 0 ? NaN : value[i];
      out.x.push(at(row)); out.row.push(row); out.stamp.push(stamp(row)); out.value.push(one);
      out.score.push(score ? score[Math.max(i, 0)] : all[row]);
      out.drawn.push(panel.floor === null ? one : Math.max(one, panel.floor));
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
      const start = inside(Math.ceil(rowAt(page.x.start))), end = inside(Math.floor(rowAt(page.x.end)));
      by("view").textContent = fill(said.view, { first: stamp(start), last: stamp(Math.max(start, end)) });
      const seen = page.x.end - page.x.start, [low, high] = page.x.bounds;
      page.middle.data = { x: seen < (high - low) / 50 ? [(page.x.start + page.x.end) / 2] : [] };
    });
  }
  function show(start, end) {  // rows
    const [low, high] = page.x.bounds;
    page.x.setv({ start: Math.max(low, at(start)), end: Math.min(high, at(end)) });
  }
  function step(zoom, move) {
    const [low, high] = page.x.bounds, whole = high - low;
    const width = Math.min(whole, Math.max(page.x.min_interval || 0, (page.x.end - page.x.start) * zoom));
    const middle = (page.x.start + page.x.end) / 2 + move * width;
    const start = Math.min(Math.max(low, middle - width / 2), high - width);
    page.x.setv({ start, end: start + width });
  }
  function showChannels(places) {  // as many as there are figures for
    channels = places.slice(0, page.panels.length);
    for (const [index, panel] of page.panels.entries()) {
      panel.figure.visible = index < channels.length;
      if (index >= channels.length) continue;
      const hatched = facts.hatched[channels[index]];
      panel.detail = page.details[channels[index]];
      panel.figure.title.text = facts.titles[channels[index]];
      panel.hatched.data = { left: hatched.map(side => side[0]), right: hatched.map(side => side[1]) };
    }
    for (const box of document.querySelectorAll("#channels input")) {
      box.checked = channels.includes(+box.value);
      box.disabled = !box.checked && channels.length === page.panels.length;
    }
    redraw();
  }

  // Events: the rows of the table, and the strips in the figures. At another threshold an event may have other ends: a
  // mark belongs to all that share a row with the one that was marked.
  const row = place => document.querySelector(`#events tr[data-event="${place}"]`);
  const meet = (a, b) => facts.spans[a][0] < facts.spans[b][1] && facts.spans[b][0] < facts.spans[a][1];
  const marked = place => marks.has(place) ? place : [...marks.keys()].find(other => meet(place, other));
  function strips() {
    const data = { left: [], right: [], event: [], color: [], dash: [] };
    const add = (span, event, kind) => {
      const [left, right] = sides(span);
      data.left.push(left); data.right.push(right); data.event.push(event); data.color.push(facts.colors[kind]);
      data.dash.push(kind === "event" ? "solid" : kind === "real" ? "dashed" : "dotted");
    };
    for (const place of facts.levels[level].events) add(facts.spans[place], place, marks.get(marked(place)) || "event");
    for (const span of missed) add(span, -1, "missed");
    page.events.selected.indices = [];
    page.events.data = data;
  }
  function open(place) {
    const [start, end] = facts.spans[place], around = Math.max(facts.window, end - start);
    for (const other of document.querySelectorAll("#events tr[aria-current]")) other.removeAttribute("aria-current");
    row(place).setAttribute("aria-current", "true");
    const wanted = facts.of_event[place];
    if (facts.titles.length > facts.first) showChannels([...wanted, ...channels.filter(one => !wanted.includes(one))]);
    show(Math.max(0, start - around), Math.min(facts.rows - 1, end + around));
  }
  function setLevel(index) {
    level = index;
    const { threshold, events, option, expected } = facts.levels[level], here = new Set(events);
    for (const line of document.querySelectorAll("#events tr[data-event]")) {
      const place = +line.dataset.event, score = facts.scores[place];
      line.hidden = !here.has(place);
      const times = score === null || !threshold ? "–" : short(score / threshold);
      line.querySelector(".times").textContent = fill(said.times, { times });
    }
    by("none").hidden = events.length > 0;
    const found = fill(said.found, { threshold: threshold === null ? "–" : short(threshold), events: events.length });
    by("found").textContent = `${found} ${expected}`;
    by("option").textContent = option || "";
    by("option-line").hidden = !option || level === facts.level;
    by("as-was").hidden = by("reset").disabled = level === facts.level;
    by("threshold").setAttribute("aria-valuetext", found);
    page.threshold.data = { x: page.threshold.data.x, y: [threshold, threshold] };
    listMarks();
  }

  // Labels.
  function mark(place, kind) {
    for (const other of [...marks.keys()]) if (meet(place, other)) marks.delete(other);
    if (kind) marks.set(place, kind);
    listMarks();
  }
  function listMarks() {
    const item = (kind, [start, end], remove) => {
      const line = document.createElement("li"), button = document.createElement("button");
      const text = fill(said.stretch, { start, end, first: stamp(start), last: stamp(end - 1) });
      line.textContent = `${said[kind]}: ${text} `;
      button.textContent = said.remove;
      button.onclick = remove;
      line.append(button);
      return line;
    };
    by("marks").replaceChildren(
      ...[...marks].map(([place, kind]) => item(kind, facts.spans[place], () => mark(place, ""))),
      ...missed.map((span, i) => item("missed", span, () => { missed.splice(i, 1); listMarks(); })),
    );
    for (const line of document.querySelectorAll("#events tr[data-event]:not([hidden])")) {
      line.querySelector("select").value = marks.get(marked(+line.dataset.event)) || "";
    }
    by("save").disabled = marks.size + missed.length === 0;
    by("marked").textContent = fill(said.marked, { marks: marks.size + missed.length });
    strips();
  }
  function stretch(first, last) {  // puts a stretch into the form
    by("first").value = inside(Math.round(first));
    by("last").value = inside(Math.round(last));
    tell();
  }
  function tell() {
    const [first, last] = ["first", "last"].map(id => by(id).valueAsNumber);
    const right = Number.isInteger(first) && Number.isInteger(last) && 0 <= first && first <= last && last < facts.rows;
    const wrong = fill(said.wrong, { last: facts.rows - 1 });
    by("stretch").textContent = right ? fill(said.view, { first: stamp(first), last: stamp(last) }) : wrong;
    by("add").disabled = !right;
  }
  function labels() {
    const one = (kind, [start, end], times) => ({  // time stamps are those of the file, or none
      mark: kind, start, end, start_time: times ? times[0] : null, last_time: times ? times[1] : null,
    });
    const all = [...marks].map(([place, kind]) => one(kind, facts.spans[place], facts.stamps[place]));
    all.push(...missed.map(span => one("missed", span)));
    return { format: "twinvae labels", version: 1, series: facts.source, marks: all.sort((a, b) => a.start - b.start) };
  }
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(labels(), null, 1) + "\n"], { type: "application/json" }));
    link.download = "labels.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function letFingersScroll(root = document) {  // up and down; sideways they move the figure
    for (const element of root.querySelectorAll("*")) {
      if (element.classList.contains("bk-events")) element.style.touchAction = "pan-y";
      if (element.shadowRoot) letFingersScroll(element.shadowRoot);
    }
  }
  function start() {
    const found = window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name("page");
    if (!found) return requestAnimationFrame(start);
    page = plain(found.args);
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
      choice.onchange = () => mark(+choice.closest("tr").dataset.event, choice.value);
    }
    for (const box of document.querySelectorAll("#channels input")) {
      box.onchange = () => showChannels([...document.querySelectorAll("#channels input:checked")].map(one => +one.value));
    }
    const whole = () => page.x.setv({ start: page.x.bounds[0], end: page.x.bounds[1] });
    const some = number => [...facts.titles.keys()].slice(0, number);
    for (const [id, act] of Object.entries({
      whole, in: () => step(0.5, 0), out: () => step(2, 0), back: () => step(1, -0.5), on: () => step(1, 0.5), save,
      use: () => stretch(Math.ceil(rowAt(page.x.start)), Math.floor(rowAt(page.x.end))),
      add: () => { missed.push([by("first").valueAsNumber, by("last").valueAsNumber + 1]); listMarks(); },
      reset: () => { by("threshold").value = facts.level; setLevel(facts.level); },
      all: () => showChannels(some()), few: () => showChannels(some(facts.first)),
    })) if (by(id)) by(id).onclick = act;
    by("threshold").oninput = () => setLevel(+by("threshold").value);
    for (const id of ["first", "last"]) by(id).oninput = tell;
    page.events.selected.properties.indices.change.connect(() => {
      const place = page.events.data.event[page.events.selected.indices[0]];
      if (place >= 0) { open(place); row(place).scrollIntoView({ block: "nearest" }); }
    });
    page.windows.selected.properties.indices.change.connect(() => {  // a stretch, if no window is left out of it
      const chosen = [...page.windows.selected.indices].sort((a, b) => a - b), last = chosen.at(-1);
      if (chosen.length && last - chosen[0] + 1 === chosen.length) {
        stretch(page.windows.data.row[chosen[0]], page.windows.data.row[last]);
      }
    });
    thin(page.overview);
    setLevel(level); tell(); showChannels(some(facts.first)); letFingersScroll();
    document.body.dataset.ready = "true";
  }
  start();
})();
