// The rows of a fleet's page: made in pieces, as they come into sight, sorted by a column and filtered by words.
"use strict";
{
  const PIECE = 100; // rows that are made at once
  const [NAME, STATE, SKETCH, MARKS, WHY, HIGHEST, EVENTS, DRIFT, ROWS, LAST, WARNINGS, REPORT] = Array(12).keys();
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const series = read("series"), names = read("names");
  const NOW = 0, FAILED = 2; // drift is between them
  const states = ["now", "drift", "failed", "earlier", "quiet"].map(state => names[state]);
  const table = document.getElementById("fleet"), more = document.getElementById("more");
  const find = document.getElementById("find"), count = document.getElementById("count");
  const chosen = [...document.querySelectorAll("button[data-only]")];
  const heads = [...table.querySelectorAll("th")];
  series.forEach((row, index) => { row.rank = index + 1; });

  // Cells. Names and reasons come from files of others: they are only ever text.

  const number = value => value === null ? "–" : value.toLocaleString(document.documentElement.lang);
  const times = value => value === null ? "–" : `${value >= 99.5 ? number(Math.round(value)) : value.toPrecision(2)} ×`;
  const share = value => value === null ? "–" : `${Math.round(100 * value)} %`;

  const ROLES = {tbody: "rowgroup", tr: "row", th: "rowheader", td: "cell"}; // which the style would take from them

  function element(tag, className, text, ...children) {
    const made = document.createElement(tag);
    if (ROLES[tag]) made.setAttribute("role", ROLES[tag]);
    if (className) made.className = className;
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  }

  function nameOf(row) {
    const name = element("b", "", row[NAME]);
    name.title = row[NAME]; // which is cut after two lines
    const state = element("span", `state ${row[STATE] === NOW ? "now" : row[STATE] <= FAILED ? "odd" : ""}`,
      states[row[STATE]]);
    if (!row[REPORT]) return [name, state];
    const link = element("a", "", "", name);
    link.href = row[REPORT].split("/").map(encodeURIComponent).join("/");
    return [link, state];
  }

  // The band of the values is 26 high, the bars of the scores 12; heights are letters, "." where nothing is known.
  function drawing(row) {
    const [low, high, score] = row[SKETCH].split(" ").map(word => [...word].map(letter => LETTERS.indexOf(letter)));
    const y = height => (26.5 - height * 26 / 63).toFixed(1), bars = ["", ""];
    let band = "", begin = 0;
    low.forEach((height, column) => {
      if (score[column] > 0)
        bars[+(score[column] > 31)] += `M${column} 40v${(-score[column] * 12 / 63).toFixed(1)}h1V40z`;
      if (height < 0) { begin = column + 1; return; }
      if (column + 1 < low.length && low[column + 1] >= 0) return;
      const run = Array.from({length: column + 1 - begin}, (_, index) => begin + index);
      const upper = run.map(at => `${at + .5} ${y(high[at])}`), lower = run.map(at => `${at + .5} ${y(low[at])}`);
      band += `M${[...upper, ...lower.reverse()].join("L")}z`;
      begin = column + 1;
    });
    let marks = "";
    for (let at = 0; at < row[MARKS].length; at += 2)
      marks += `M${row[MARKS][at]} 0H${row[MARKS][at + 1]}V40H${row[MARKS][at]}z`;
    const holder = document.createElement("template");
    holder.innerHTML = `<svg viewBox="0 0 ${low.length} 40" preserveAspectRatio="none" aria-hidden="true">` +
      `<path class="mark" d="${marks}"/><path class="band" d="${band}"/><path class="score" d="${bars[0]}"/>` +
      `<path class="alarm" d="${bars[1]}"/><path class="limit" d="M0 34H${low.length}"/></svg>`;
    return holder.content;
  }

  function whyOf(row) {
    if (!row[WARNINGS].length) return [row[WHY]];
    const said = element("summary", "", names.warnings.replace("%1", row[WARNINGS].length));
    const list = element("ul", "", "", ...row[WARNINGS].map(warning => element("li", "", warning)));
    return [row[WHY], element("details", "note", "", said, list)];
  }

  function rowOf(row) {
    const head = element("th", "series", "", ...nameOf(row));
    head.scope = "row";
    const made = element("tr", "", "",
      element("td", "rank n", number(row.rank)), head,
      element("td", "shape", "", row[SKETCH] ? drawing(row) : ""), element("td", "why", "", ...whyOf(row)),
      element("td", "highest n", times(row[HIGHEST])), element("td", "events n", number(row[EVENTS])),
      element("td", "drift n", share(row[DRIFT])), element("td", "rows n", number(row[ROWS])),
      element("td", "last", row[LAST] || "–"));
    heads.forEach((column, index) => { made.children[index].dataset.label = column.textContent; }); // for a phone
    return made;
  }

  // What is shown, in which order.

  const keys = {rank: row => row.rank, series: row => row[NAME], highest: row => row[HIGHEST], events: row => row[EVENTS],
    drift: row => row[DRIFT], rows: row => row[ROWS], last: row => row[LAST]};
  const columns = heads.map(head => head.classList[0]);
  const compare = new Intl.Collator(document.documentElement.lang, {numeric: true}).compare;
  let wanted = series, made = 0, only = "", column = "rank", down = false;

  function matches(row, text) {
    row.text ??= `${row[NAME]}\n${row[WHY]}\n${states[row[STATE]]}`.normalize("NFKC").toLowerCase();
    const kind = only === "" || (only === "warned" ? row[WARNINGS].length > 0 : row[STATE] === +only);
    return kind && row.text.includes(text);
  }

  function show() {
    const text = find.value.trim().normalize("NFKC").toLowerCase(), key = keys[column];
    wanted = series.filter(row => matches(row, text));
    const known = wanted.filter(row => key(row) !== null && key(row) !== "");
    const unknown = wanted.filter(row => key(row) === null || key(row) === ""); // last, whichever way
    known.sort((a, b) => (typeof key(a) === "string" ? compare(key(a), key(b)) : key(a) - key(b)) || a.rank - b.rank);
    wanted = [...(down ? known.reverse() : known), ...unknown];
    heads.forEach((head, index) => {
      if (columns[index] === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    for (const button of chosen) button.setAttribute("aria-pressed", button.dataset.only === only);
    table.querySelectorAll("tbody").forEach(body => body.remove());
    made = 0;
    add();
  }

  function add() {
    const piece = wanted.slice(made, made + PIECE);
    table.append(element("tbody", "", "", ...piece.map(rowOf)));
    made += piece.length;
    more.hidden = made === wanted.length;
    const said = !wanted.length ? names.none : more.hidden ? names.count : names.shown;
    count.textContent = [wanted.length, series.length, made]
      .reduce((line, value, index) => line.replace(`%${index + 1}`, number(value)), said);
  }

  heads.forEach((head, index) => head.querySelector("button")?.addEventListener("click", () => {
    down = column === columns[index] ? !down : head.classList.contains("n") && columns[index] !== "rank";
    column = columns[index];
    show();
  }));
  for (const button of chosen) button.addEventListener("click", () => { only = button.dataset.only; show(); });
  find.addEventListener("input", show);
  more.addEventListener("click", add);
  const watch = new IntersectionObserver(seen => {
    if (more.hidden || !seen.at(-1).isIntersecting) return;
    add();
    watch.unobserve(more);
    watch.observe(more); // tells again if it is still in sight
  }, {rootMargin: "800px"});
  watch.observe(more);
  show();
}
