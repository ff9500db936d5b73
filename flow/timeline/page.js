"use strict";

const element = (id) => document.getElementById(id);
const model = new Model(JSON.parse(element("data").textContent));
const view = new View(element("canvas"), model);

function describe(slice) {
  return model.facts(slice).map(([name, value]) => `${name}: ${value}`).join("\n");
}

function pin(slice) {
  view.pinned = slice;
  const list = document.createElement("dl");
  for (const [name, value] of slice ? model.facts(slice) : []) {
    list.append(Object.assign(document.createElement("dt"), { textContent: name }));
    list.append(Object.assign(document.createElement("dd"), { textContent: value }));
  }
  element("details").replaceChildren(list);
  view.refresh();
}

function go(slice) {
  if (!slice) return;
  pin(slice);
  view.reveal(slice);
}

function hover(event) {
  const slice = view.hit(event.offsetX, event.offsetY), tip = element("tip");
  if (slice !== view.hovered) { view.hovered = slice; view.refresh(); }
  tip.hidden = !slice;
  if (!slice) return;
  tip.textContent = describe(slice);
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 18, innerHeight - tip.offsetHeight - 8)}px`;
}

function useMouse(canvas) {
  let drag = null;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX || step) / view.scale;
      view.show(view.begin + by, view.end + by);
    } else view.zoom(Math.exp(step * 0.002), view.cycle(event.offsetX));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.offsetX, begin: view.begin, end: view.end, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) { hover(event); return; }
    const by = drag.x - event.offsetX;
    drag.moved = drag.moved || Math.abs(by) > 3;
    const cycles = by * (drag.end - drag.begin) / view.width;
    if (drag.moved) view.show(drag.begin + cycles, drag.end + cycles);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) pin(view.hit(event.offsetX, event.offsetY));
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => {
    element("tip").hidden = true;
    view.hovered = null;
    view.refresh();
  });
}

// Return the slice that an arrow key leads to.
function neighbour(key) {
  const now = view.pinned, middle = (view.begin + view.end) / 2;
  if (!now) {
    const track = model.tracks.findIndex((t) => t.work && t.slices.length);
    return track < 0 ? null : model.at(track, middle, Infinity);
  }
  if (key === "ArrowLeft" || key === "ArrowRight") {
    return model.tracks[now.track].slices[now.number + (key === "ArrowRight" ? 1 : -1)];
  }
  const step = key === "ArrowDown" ? 1 : -1;
  for (let n = now.track + step; n >= 0 && n < model.tracks.length; n += step) {
    const slice = model.at(n, (now.front + now.done) / 2, Infinity);
    if (slice) return slice;
  }
  return null;
}

function useKeys(canvas) {
  const actions = {
    "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2),
    "0": () => view.show(0, model.cycles),
    Home: () => view.show(0, view.end - view.begin),
    End: () => view.show(model.cycles - (view.end - view.begin), model.cycles),
    Escape: () => pin(null),
    b: () => view.pinned && go(model.places.get(view.pinned.blocker)),
    Enter: () => {
      const slice = view.pinned, size = slice ? Math.max(slice.done - slice.front, 4) : 0;
      if (slice) view.show(slice.front - size, slice.done + size);
    },
  };
  for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
    actions[key] = () => go(neighbour(key));
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });
}

// Show where a layer's own work is, from its first cycle to its last.
function showLayer(number) {
  const spans = model.tracks[0].slices.filter((slice) => slice.layer === number);
  if (!spans.length) return;
  const begin = spans[0].front, end = spans[spans.length - 1].done;
  view.show(begin - (end - begin) * 0.05, end + (end - begin) * 0.05);
}

function listLayers() {
  model.layers.forEach((layer, number) => {
    const row = document.createElement("tr");
    const share = layer.array === null ? "" : `${(100 * layer.array).toFixed(1)} %`;
    const cells = [layer.name, layer.operator, layer.macs.toLocaleString("en"),
      layer.cycles.toLocaleString("en"), share, layer.bound];
    cells.forEach((text, n) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (n > 1 && n < 5) cell.className = "number";
      row.append(cell);
    });
    row.tabIndex = 0;
    row.addEventListener("click", () => showLayer(number));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") showLayer(number); });
    element("layers").append(row);
  });
}

element("facts").textContent = model.facts_line;
element("in").addEventListener("click", () => view.zoom(0.5));
element("out").addEventListener("click", () => view.zoom(2));
element("all").addEventListener("click", () => view.show(0, model.cycles));
element("find").addEventListener("change", () => {
  go(model.places.get(Number(element("find").value)));
});
useMouse(element("canvas"));
useKeys(element("canvas"));
listLayers();
window.addEventListener("resize", () => view.resize());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.restyle());
view.resize();
