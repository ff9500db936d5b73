"use strict";

const LEFT = 64, RULER = 22, ROW = 34, BAR = 22;

// A canvas that shows the cycles from `begin` to `end`.
class View {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.model = model;
    this.pen = canvas.getContext("2d");
    this.begin = 0;
    this.end = model.cycles;
    this.width = this.scale = 1;  // pixels for slices, and for a cycle
    this.pinned = this.hovered = null;
    this.waiting = false;
    this.rectangles = 0;
  }

  x(cycle) { return LEFT + (cycle - this.begin) * this.scale; }
  cycle(x) { return this.begin + (x - LEFT) / this.scale; }
  y(track) { return RULER + track * ROW + 6; }

  resize() {
    const ratio = window.devicePixelRatio || 1, height = RULER + this.model.tracks.length * ROW + 8;
    this.canvas.style.height = `${height}px`;
    this.width = Math.max(1, this.canvas.clientWidth - LEFT);
    this.scale = this.width / (this.end - this.begin);
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.restyle();
  }

  restyle() {
    const style = getComputedStyle(document.documentElement);
    this.colors = Object.fromEntries(["paper", "ink", "quiet", "line", "row", "mark", "token",
      "supply", "light", "label"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.shades = this.model.layers.map((_, n) =>
      `hsl(${(n * 137.5) % 360} 60% ${this.colors.light})`);
    this.refresh();
  }

  // Show cycles, within the run and at least ten of them.
  show(begin, end) {
    const cycles = this.model.cycles, size = Math.min(Math.max(end - begin, 10), cycles);
    this.begin = Math.min(Math.max(begin, 0), cycles - size);
    this.end = this.begin + size;
    this.scale = this.width / size;
    this.refresh();
  }

  zoom(factor, cycle) {
    const at = cycle === undefined ? (this.begin + this.end) / 2 : cycle;
    const size = Math.min(Math.max((this.end - this.begin) * factor, 10), this.model.cycles);
    const share = (at - this.begin) / (this.end - this.begin);
    this.show(at - share * size, at - share * size + size);
  }

  // Move so that a slice is visible, and zoom in if it would be too small to see.
  reveal(slice) {
    const size = this.end - this.begin, length = Math.max(slice.done - slice.front, 1);
    if (length * this.scale < 12) {
      const middle = (slice.front + slice.done) / 2, span = length * this.width / 60;
      this.show(middle - span / 2, middle + span / 2);
    } else if (slice.front < this.begin || slice.done > this.end) {
      this.show(slice.front - size / 3, slice.front - size / 3 + size);
    }
    this.refresh();
  }

  hit(x, y) {
    const track = Math.floor((y - RULER) / ROW);
    if (x < LEFT || track < 0 || track >= this.model.tracks.length) return null;
    return this.model.at(track, this.cycle(x), 3 / this.scale);
  }

  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const pen = this.pen, height = RULER + this.model.tracks.length * ROW + 8;
    this.rectangles = 0;
    pen.fillStyle = this.colors.paper;
    pen.fillRect(0, 0, LEFT + this.width, height);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.model.tracks.forEach((track, n) => this.drawBand(n));
    this.drawRuler(height);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, this.width, height);
    pen.clip();
    this.model.tracks.forEach((track, n) => this.drawTrack(n));
    this.drawWait(this.pinned);
    this.outline(this.hovered, 1);
    this.outline(this.pinned, 2);
    pen.restore();
    document.getElementById("range").textContent =
      `cycles ${Math.floor(this.begin).toLocaleString("en")} to ` +
      Math.ceil(this.end).toLocaleString("en");
  }

  drawBand(n) {
    this.pen.fillStyle = this.colors.row;
    this.pen.fillRect(LEFT, this.y(n) - 3, this.width, BAR + 6);
    this.pen.fillStyle = this.colors.ink;
    this.pen.fillText(this.model.tracks[n].name, 4, this.y(n) + BAR / 2);
  }

  drawRuler(height) {
    const pen = this.pen, least = 90 / this.scale;
    let step = 10 ** Math.floor(Math.log10(least));
    step = [1, 2, 5, 10].map((k) => k * step).find((s) => s >= least);
    step = Math.max(1, step);
    for (let at = Math.ceil(this.begin / step) * step; at <= this.end; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      pen.fillStyle = this.colors.line;
      pen.fillRect(x, RULER - 4, 1, height - RULER);
      pen.fillStyle = this.colors.quiet;
      pen.fillText(at.toLocaleString("en"), x + 3, RULER / 2);
    }
  }

  // Slices too narrow to tell apart are drawn as one: what is drawn is bounded by the width.
  drawTrack(n) {
    const slices = this.model.tracks[n].slices, y = this.y(n), last = LEFT + this.width;
    let from = 0, to = 0, color = "";
    const flush = () => { if (to > from) this.fill(color, from, y, to - from, BAR); };
    for (let k = this.model.first(n, this.begin); k < slices.length; k++) {
      const slice = slices[k];
      if (slice.front > this.end) break;
      const x = Math.max(Math.floor(this.x(slice.front)), LEFT - 2);
      const end = Math.min(Math.max(Math.floor(this.x(slice.done)), x + 1), last + 2);
      this.drawLine(slice, k ? slices[k - 1].done : 0, y);
      if (end <= to) continue;
      const next = this.color(slice), narrow = end - x < 3;
      if (narrow && next === color && x <= to) { to = end; continue; }
      flush();
      from = Math.max(x, to);
      to = end;
      color = next;
      if (narrow) continue;
      this.fill(color, from, y, to - from - 1, BAR);
      if (to - from > 46) this.drawLabel(slice, from, to, y);
      from = to;
    }
    flush();
  }

  fill(color, x, y, width, height) {
    this.pen.fillStyle = color;
    this.pen.fillRect(x, y, width, height);
    this.rectangles += 1;
  }

  drawLine(slice, before, y) {
    const length = Math.min(slice.waited, slice.start - before);
    if (slice.wait < 0 || length * this.scale < 1) return;
    const color = this.model.tokens.includes(slice.wait) ? this.colors.token : this.colors.supply;
    const x = this.x(slice.start - length);
    this.fill(color, x, y + BAR - 1, this.x(slice.start) - x, 3);
  }

  drawLabel(slice, from, end, y) {
    const pen = this.pen, left = Math.max(from, LEFT);
    const name = this.model.tracks[slice.track].work
      ? `#${slice.instruction} ${this.model.layerName(slice)}` : this.model.title(slice);
    const room = Math.min(end, LEFT + this.width) - left - 6;
    const text = name.slice(0, Math.floor(room / 6.2));
    pen.fillStyle = this.colors.label;
    pen.fillText(text, left + 4, y + BAR / 2, Math.max(room, 1));
  }

  color(slice) { return this.shades[slice.layer] || this.colors.quiet; }

  // Connect a slice with what it waited for.
  drawWait(slice) {
    const source = slice && this.model.places.get(slice.blocker);
    if (!source) return;
    const pen = this.pen, x0 = this.x(source.done), x1 = this.x(slice.start);
    const y0 = this.y(source.track) + BAR / 2, y1 = this.y(slice.track) + BAR / 2;
    pen.strokeStyle = this.colors.token;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.bezierCurveTo(x0 + 30, y0, x1 - 30, y1, x1, y1);
    pen.stroke();
    this.outline(source, 1);
  }

  outline(slice, width) {
    if (!slice) return;
    const x = this.x(slice.front);
    this.pen.strokeStyle = this.colors.mark;
    this.pen.lineWidth = width;
    this.pen.strokeRect(x, this.y(slice.track), Math.max(this.x(slice.done) - x, 1.5), BAR);
  }
}
