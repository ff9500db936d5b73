"use strict";

// Names of the columns of a track; numbers are differences, see timeline_page.py.
const COLUMNS = ["instruction", "layer", "front", "length", "early", "wait", "blocker", "waited",
  "stalled", "amount", "kind"];

// What happened: tracks of slices that do not overlap, in order.
class Model {
  constructor(data) {
    Object.assign(this, data);
    this.places = new Map();
    this.tracks = data.tracks.map((track, number) => this.decode(track, number));
  }

  decode(track, number) {
    const columns = Object.fromEntries(COLUMNS.map((name, n) => [name, track.columns[n] || []]));
    let instruction = 0, layer = 0, done = 0;
    const slices = columns.front.map((gap, n) => {
      const at = (name) => columns[name][n] || 0;
      instruction += at("instruction");
      layer += at("layer");
      const front = done + gap;
      done = front + at("length");
      return {
        track: number, number: n, instruction, layer, front, done, start: front - at("early"),
        wait: columns.wait.length ? at("wait") : -1, waited: at("waited"),
        blocker: at("blocker") ? instruction - at("blocker") : -1,
        stalled: at("stalled"), amount: at("amount"), kind: at("kind"),
      };
    });
    if (track.work) slices.forEach((slice) => this.places.set(slice.instruction, slice));
    return { name: track.name, work: track.work, slices };
  }

  // Return the index of the first slice of a track that ends behind a cycle.
  first(track, cycle) {
    const slices = this.tracks[track].slices;
    let low = 0, high = slices.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (slices[middle].done > cycle) high = middle; else low = middle + 1;
    }
    return low;
  }

  // Return the slice of a track at a cycle, or the nearest within a distance, or null.
  at(track, cycle, distance) {
    const slices = this.tracks[track].slices, index = this.first(track, cycle);
    let best = null, least = distance;
    for (let n = Math.max(0, index - 3); n < Math.min(slices.length, index + 3); n++) {
      const slice = slices[n];
      const away = Math.max(slice.front - cycle, cycle - slice.done, 0);
      if (away <= least && (best === null || away < least)) { best = slice; least = away; }
    }
    return best;
  }

  layerName(slice) {
    return slice.layer >= 0 && slice.layer < this.layers.length
      ? this.layers[slice.layer].name : "";
  }

  title(slice) {
    const track = this.tracks[slice.track];
    if (track.name === "layer") return this.layerName(slice) || "(instructions and end)";
    if (!track.work) return "instructions from memory";
    return `${track.name.toUpperCase()} #${slice.instruction}`;
  }

  // Return names and values that describe a slice.
  facts(slice) {
    const count = (n) => n.toLocaleString("en"), track = this.tracks[slice.track];
    const facts = [["what", this.title(slice)]];
    if (track.work) facts.push(["layer", this.layerName(slice) || "(no layer)"]);
    if (track.work) facts.push(["work", this.work(track, slice)]);
    facts.push(["cycles", `${count(slice.start)} to ${count(slice.done)}, ` +
      `${count(slice.done - slice.start)} in all`]);
    if (slice.front > slice.start) {
      facts.push(["behind others", `until ${count(slice.front)}`]);
    }
    if (slice.wait >= 0) facts.push(["waited for", this.reason(slice)]);
    if (slice.stalled) facts.push(["stood still", `${count(slice.stalled)} cycles ` +
      (track.name === "mac" ? "for weights or accumulators" : "before banks in use")]);
    return facts;
  }

  work(track, slice) {
    const count = slice.amount.toLocaleString("en");
    if (track.name === "mac") return `${count} operands`;
    if (track.name === "vector") return `${count} pixels and words`;
    const way = track.name === "load" ? "into" : "from";
    return `${count} bytes ${way} the ${this.buffers[slice.kind]} buffer`;
  }

  reason(slice) {
    let text = this.waits[slice.wait];
    if (slice.blocker >= 0) text += ` #${slice.blocker} to complete`;
    const cycles = slice.waited.toLocaleString("en");
    return slice.waited ? `${text}; started ${cycles} cycles later for it` : text;
  }
}
