// A press on a name dims it in every figure; while the pointer is on a name or a line, all others are dim.
document.addEventListener("DOMContentLoaded", () => {
  const dimmed = new Set();
  let pointed = null;
  const buttons = [...document.querySelectorAll("button[data-implementation]")];
  const sources = () => Bokeh.documents.flatMap(one => one.roots()).flatMap(root => root.renderers ?? [])
    .map(renderer => renderer.data_source).filter(source => source?.columns().includes("implementation"));
  function draw() {
    const only = pointed !== null && !dimmed.has(pointed) ? pointed : null;
    for (const source of new Set(sources())) {
      const [names, full] = ["implementation", "full"].map(column => [...source.get_column(column)]);
      const faded = name => dimmed.has(name) || (only !== null && name !== only);
      source.patch({alpha: [[{start: 0, stop: names.length}, names.map((name, at) => full[at] * (faded(name) ? 0.12 : 1))]]});
    }
    for (const button of buttons) button.setAttribute("aria-pressed", !dimmed.has(button.dataset.implementation));
  }
  function point(name) {
    if (pointed !== name) { pointed = name; draw(); }
  }
  for (const button of buttons) {
    const name = button.dataset.implementation;
    button.addEventListener("click", () => { dimmed.delete(name) || dimmed.add(name); draw(); });
    button.addEventListener("pointerenter", () => point(name));
    button.addEventListener("focus", () => button.matches(":focus-visible") && point(name));
    for (const leaving of ["pointerleave", "blur"]) button.addEventListener(leaving, () => point(null));
  }
  document.addEventListener("pointed", event => point(event.detail));
  for (const plot of document.querySelectorAll(".plot")) plot.addEventListener("pointerleave", () => point(null));
});
