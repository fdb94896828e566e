"use strict";
// Draws one video's timeline as SVG, from the data in this file. Positions are pixels of the drawing; times are seconds.
(() => {
  const byId = (id) => document.getElementById(id);
  const index = JSON.parse(byId("index").textContent);
  const entries = [...document.querySelectorAll("script.video")];
  const host = byId("timeline");
  if (!entries.length) return;

  // What is shown. `from` and `to` are seconds; `label` is a class of the video; the rest says which videos are listed.
  const shown = { video: 0, group: 0, view: index.views[0], label: null, from: 0, to: 1, order: "worst", only: "", find: "" };
  let video = null; // the entry shown, parsed
  let listed = []; // the numbers of the videos that are listed, in their order
  let place = null; // where the last drawing put things
  let started = false; // from then on the address follows what is shown

  // ---- data

  /** [largest, base64 bytes, ...] -> Float64Array; see `pack` in timelines.py. */
  function unpack(packed) {
    const bytes = atob(packed[1]);
    const values = new Float64Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) values[i] = (bytes.charCodeAt(i) * packed[0]) / 255;
    return values;
  }
  const begin = () => video.offset;
  const end = () => video.offset + video.snippets * video.seconds;
  const snippetAt = (time) => Math.floor((time - video.offset) / video.seconds);
  const run = () => video.runs[shown.group];
  const view = () => run().views[shown.view];
  const streamsShown = () => (index.streams.includes(shown.view) ? [shown.view] : index.streams);

  /** The intervals, as [start, end] in seconds, of the snippets whose value is above `level`. */
  function runs(values, level) {
    const found = [];
    values.forEach((value, i) => {
      if (value <= level) return;
      const [start, end] = [video.offset + i * video.seconds, video.offset + (i + 1) * video.seconds];
      if (i && values[i - 1] > level) found[found.length - 1][1] = end;
      else found.push([start, end]);
    });
    return found;
  }
  /** Temporal intersection over union of two [start, end]. */
  function overlap(a, b) {
    const inside = Math.max(0, Math.min(a[1], b[1]) - Math.max(a[0], b[0]));
    return inside / (a[1] - a[0] + b[1] - b[0] - inside);
  }
  const best = (segment, others) => others.reduce((most, other) => Math.max(most, overlap(segment, other)), 0);
  const clock = (time, digits = 1) => {
    const total = end() - begin();
    if (total < 600) return `${time.toFixed(digits)} s`;
    const minutes = Math.floor(time / 60);
    return `${minutes}:${(time - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
  };

  // ---- SVG

  function make(name, attributes, parent, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) {
      const value = attributes[key];
      node.setAttribute(key, typeof value === "number" ? Math.round(value * 100) / 100 : value);
    }
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  /** The points of a curve over the snippets in sight: at most two a pixel, so that no peak is lost and none is slow. */
  function points(values, x, y) {
    const first = Math.max(0, snippetAt(shown.from) - 1);
    const last = Math.min(values.length - 1, snippetAt(shown.to) + 1);
    const centre = (i) => x(video.offset + (i + 0.5) * video.seconds);
    const columns = Math.max(1, Math.round(place.right - place.left));
    if (last - first <= 2 * columns) {
      const found = [];
      for (let i = first; i <= last; i++) found.push([centre(i), y(values[i])]);
      if (first === 0) found.unshift([x(begin()), y(values[0])]);
      if (last === values.length - 1) found.push([x(end()), y(values[last])]);
      return found;
    }
    const found = [];
    for (let column = 0; column < columns; column++) {
      const a = first + Math.floor(((last - first + 1) * column) / columns);
      const b = first + Math.floor(((last - first + 1) * (column + 1)) / columns);
      let low = a, high = a;
      for (let i = a; i < b; i++) {
        if (values[i] < values[low]) low = i;
        if (values[i] > values[high]) high = i;
      }
      for (const i of low < high ? [low, high] : [high, low]) found.push([centre(i), y(values[i])]);
    }
    return found;
  }
  const path = (found) => found.map((p, i) => `${i ? "L" : "M"}${p[0].toFixed(1)} ${p[1].toFixed(1)}`).join("");

  function ticks(from, to, most) {
    const raw = (to - from) / most;
    const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((s) => s >= raw) || 3600;
    const found = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) found.push(i * step);
    return { step, at: found };
  }

  // ---- the strips, each drawn from `top` on; every function returns the height it took

  /** Small letters in `room` pixels; what is too long for them is cut, and whole where the pointer is over it. */
  function remark(svg, x, y, text, room, anchor = "start") {
    const most = Math.max(4, Math.floor(room / 6.2));
    const fits = text.length <= most;
    const node = make("text", { class: "strip-note", x, y, "text-anchor": anchor }, svg, fits ? text : `${text.slice(0, most - 1)}…`);
    if (!fits) make("title", {}, node, text);
  }

  function strip(svg, top, height, name, note) {
    const narrow = place.left < 60;
    const at = narrow ? { x: 0, y: top + 11 } : { x: 0, y: top + Math.min(height - 6, height / 2 + (note ? -2 : 4)) };
    make("text", { class: "strip-name", ...at }, svg, name);
    if (note && narrow) remark(svg, place.right, at.y, note, place.right - 8 * name.length - 10, "end");
    else if (note) remark(svg, 0, at.y + 14, note, place.left - 8);
    return { top: narrow ? top + 16 : top, bottom: (narrow ? top + 16 : top) + height };
  }

  function curves(svg, top, height, name, note, kind, list, largest, thresholds = [], least = 0) {
    const box = strip(svg, top, height, name, note);
    const y = (value) => box.bottom - 1 - ((box.bottom - box.top - 6) * (value - least)) / (largest - least || 1);
    make("line", { class: "baseline", x1: place.left, x2: place.right, y1: box.bottom - 0.5, y2: box.bottom - 0.5 }, svg);
    list.forEach((values, i) => {
      const found = points(values, place.x, y);
      if (!found.length) return;
      const line = path(found);
      if (list.length === 1 && !least) {
        const close = `L${found[found.length - 1][0].toFixed(1)} ${box.bottom - 1}L${found[0][0].toFixed(1)} ${box.bottom - 1}Z`;
        make("path", { class: `area ${kind}`, d: line + close, "clip-path": "url(#sight)" }, svg);
      }
      make("path", { class: `curve ${kind} stream${Math.min(i, 2)}`, d: line, "clip-path": "url(#sight)" }, svg);
    });
    for (const threshold of thresholds)
      if (threshold <= largest * 1.05)
        make("line", { class: "threshold", x1: place.left, x2: place.right, y1: y(threshold), y2: y(threshold) }, svg);
    return box.bottom - top;
  }

  function bars(svg, box, segments, kind, height, says) {
    segments.forEach((segment, i) => {
      const left = Math.max(place.left, place.x(segment[0]));
      const right = Math.min(place.right, place.x(segment[1]));
      if (right <= place.left || left >= place.right) return;
      const tall = typeof height === "function" ? height(segment) : height;
      const bar = make("rect", { class: kind, x: left, width: Math.max(1, right - left), y: box.bottom - tall, height: tall }, svg);
      make("title", {}, bar, says(segment, i));
    });
  }

  function missing(svg, top, name, why) {
    const box = strip(svg, top, 24, name);
    remark(svg, place.left, box.bottom - 8, why, place.right - place.left);
    return box.bottom - top;
  }

  function drawFrames(svg, top) {
    if (!video.frames.length) return 0;
    const box = strip(svg, top, 54, "frames");
    let right = place.left; // a picture that would cover the one before is left out
    for (const [share, width, uri] of video.frames) {
      const at = place.x(begin() + share * (end() - begin()));
      const picture = make("image", { href: uri, y: box.top, height: 54 });
      if (at - width / 2 < right || at + width / 2 > place.right) continue;
      picture.setAttribute("x", at - width / 2);
      picture.setAttribute("width", width);
      svg.appendChild(picture);
      right = at + width / 2 + 2;
    }
    return box.bottom - top + 9;
  }
  function drawInput(svg, top) {
    const streams = streamsShown().filter((stream) => video.input[stream]);
    const note = index.notes[0].input;
    if (!streams.length) return note ? missing(svg, top, "input", note) : 0;
    const list = streams.map((stream) => unpack(video.input[stream]));
    // Each stream by its own largest change: their units differ.
    const scaled = list.map((values) => { const most = values.reduce((a, b) => Math.max(a, b), 1e-9); return values.map((v) => v / most); });
    return curves(svg, top, 34, "input", `feature change${pair(streams)}`, "input", scaled, 1);
  }
  /** Which stream's curve is drawn how; the first is solid. */
  function pair(streams) {
    const dotted = streams.length > 2 ? `, ${streams.slice(2).join(", ")} dotted` : "";
    return streams.length > 1 ? ` (${streams[1]} dashed${dotted})` : "";
  }

  function drawDensity(svg, top) {
    const note = index.notes[shown.group].density;
    const streams = streamsShown().filter((stream) => run().density[stream]);
    if (!streams.length) return missing(svg, top, "sampling", note || "not in this run");
    const list = streams.map((stream) => unpack(run().density[stream]));
    const most = list.reduce((found, values) => values.reduce((a, v) => Math.max(a, Math.abs(v - 1)), found), 0.05);
    const label = `×${Math.max(0, 1 - most).toFixed(2)} to ×${(1 + most).toFixed(2)}${pair(streams)}`;
    let taken = curves(svg, top, 52, "sampling", note || label, "density", list, 1 + most, [1], 1 - most) + 2;
    list.forEach((values, i) => {
      taken += 5;
      bars(svg, { bottom: top + taken }, runs(values, 1), "slowed", 4, (segment) =>
        `${streams[i]} slowed down ${clock(segment[0])} to ${clock(segment[1])}`);
    });
    // The samples themselves, where there is room to tell them apart.
    const perSnippet = ((place.right - place.left) * video.seconds) / (shown.to - shown.from);
    if (streams.length === 1 && perSnippet >= 4) {
      let cumulated = 0, next = 0.5;
      list[0].forEach((density, i) => {
        while (density > 0 && next <= cumulated + density) {
          const time = video.offset + (i + (next - cumulated) / density) * video.seconds;
          if (time >= shown.from && time <= shown.to)
            make("line", { class: "density sample", x1: place.x(time), x2: place.x(time), y1: top + taken + 1, y2: top + taken + 7 }, svg);
          next += 1;
        }
        cumulated += density;
      });
      return taken + 8;
    }
    return taken;
  }

  function drawTaught(svg, top) {
    const lessons = run().taught;
    const note = index.notes[shown.group].taught;
    const streams = streamsShown();
    const mine = lessons.filter((lesson) => streams.includes(lesson.stream));
    if (!mine.length) return missing(svg, top, "pseudo-labels", note || "not in this run");
    if (!mine.some((lesson) => lesson.intervals[shown.label]))
      return missing(svg, top, "pseudo-labels", "the video does not have this class, so nothing would be taught");
    const header = strip(svg, top, 18, "pseudo-labels");
    const lanes = streams.length > 1 ? `Eq. 8; in every row ${streams.join(" above ")}` : "Eq. 8";
    remark(svg, place.left, header.bottom - 5, note ? `${lanes}; ${note}` : lanes, place.right - place.left);
    let y = header.bottom + 2;
    const rows = new Map();
    let before = null;
    for (const lesson of mine) {
      const key = `${lesson.iteration} ${lesson.teacher}`;
      rows.set(key, [...(rows.get(key) || []), lesson]);
    }
    for (const lessons of rows.values()) {
      const { iteration, teacher, student } = lessons[0];
      const lane = lessons.length > 1 ? 5 : 9;
      const height = lessons.length * (lane + 1) + 5;
      if (place.left >= 60) {
        const text = { class: "strip-note", y: y + height / 2 + 3 };
        if (iteration !== before) make("text", { ...text, x: 0 }, svg, `iteration ${iteration}`);
        make("text", { ...text, x: 68 }, svg, teacher === student ? `${teacher} itself` : `${teacher} teaches`);
      }
      if (place.left < 60 && iteration !== before)
        make("text", { class: "strip-note", x: place.right + 6, y: y + height / 2 + 3 }, svg, iteration);
      before = iteration;
      lessons.forEach((lesson, i) => {
        const bottom = y + (i + 1) * (lane + 1) + 1;
        make("line", { class: "baseline", x1: place.left, x2: place.right, y1: bottom + 0.5, y2: bottom + 0.5 }, svg);
        bars(svg, { bottom }, lesson.intervals[shown.label] || [], `taught ${teacher}`, lane, (segment) =>
          `${lesson.stream}, iteration ${iteration}: ${teacher} would teach ${student} ${clock(segment[0])} to ${clock(segment[1])}`);
      });
      y += height;
    }
    return y - top;
  }

  function drawProposals(svg, top) {
    const found = view().proposals[shown.label] || [];
    const truth = video.truth[shown.label] || [];
    if (!found.length) return missing(svg, top, "proposals", "none of this class");
    const box = strip(svg, top, 34, "proposals", "height is the score");
    make("line", { class: "baseline", x1: place.left, x2: place.right, y1: box.bottom - 0.5, y2: box.bottom - 0.5 }, svg);
    const largest = Math.max(...Object.values(view().proposals).flat().map((p) => p[2]));
    bars(svg, { bottom: box.bottom - 1 }, found, "proposal", (p) => 4 + (26 * p[2]) / largest, (p) =>
      `${clock(p[0])} to ${clock(p[1])}, score ${p[2].toFixed(3)}, best tIoU ${best(p, truth).toFixed(2)}`);
    return box.bottom - top;
  }

  function drawTruth(svg, top) {
    const mine = video.truth[shown.label] || [];
    const others = Object.entries(video.truth).filter(([label]) => label !== shown.label);
    const box = strip(svg, top, 26, "ground truth", undefined);
    const says = (label) => (s) => `${label}, ${clock(s[0])} to ${clock(s[1])}`;
    others.forEach(([label, segments]) => bars(svg, { bottom: box.bottom - 2 }, segments, "other", 5, says(label)));
    bars(svg, { bottom: box.bottom - 9 }, mine, "truth", 13, says(shown.label));
    if (!mine.length && !others.length) make("text", { class: "strip-note", x: place.left, y: box.bottom - 10 }, svg, "none annotated");
    return box.bottom - top;
  }

  function drawAxis(svg, top) {
    const { step, at } = ticks(shown.from, shown.to, Math.max(3, (place.right - place.left) / 90));
    for (const time of at) {
      make("line", { class: "baseline", x1: place.x(time), x2: place.x(time), y1: top, y2: top + 5 }, svg);
      make("text", { x: place.x(time), y: top + 18, "text-anchor": "middle" }, svg, clock(time, step < 0.1 ? 2 : step < 1 ? 1 : 0));
    }
    make("rect", { class: "track", x: place.left, width: place.right - place.left, y: top + 28, height: 7, rx: 3 }, svg);
    const all = end() - begin(), wide = place.right - place.left;
    for (const [a, b] of video.truth[shown.label] || [])
      make("rect", { class: "truth", x: place.left + (wide * (a - begin())) / all, width: Math.max(1, (wide * (b - a)) / all), y: top + 30, height: 3 }, svg);
    if (zoomed())
      make("rect", { class: "window", x: place.left + (wide * (shown.from - begin())) / all, width: (wide * (shown.to - shown.from)) / all, y: top + 28, height: 7, rx: 3 }, svg);
    return 38;
  }

  function draw(width = Math.max(320, host.clientWidth || 960)) {
    place = { left: width < 620 ? 0 : 206, right: width - 20 };
    place.x = (time) => place.left + ((place.right - place.left) * (time - shown.from)) / (shown.to - shown.from);
    const svg = make("svg", { role: "img", "aria-label": byId("caption").textContent });
    const clip = make("clipPath", { id: "sight" }, make("defs", {}, svg));
    const window_ = make("rect", { x: place.left, width: place.right - place.left, y: 0, height: 10 }, clip);
    const ground = make("g", {}, svg);
    const cas = view().cas[shown.label];
    let top = 4;
    const gap = 9;
    top += drawFrames(svg, top);
    top += drawInput(svg, top) + gap;
    top += drawDensity(svg, top) + gap;
    if (cas) {
      const unpacked = Object.fromEntries(Object.entries(cas).map(([branch, packed]) => [branch, unpack(packed)]));
      const largest = Math.max(...Object.values(cas).map((packed) => packed[0]));
      place.cas = unpacked;
      for (const branch of ["base", "supplementary", "fused"]) {
        const name = branch === "fused" ? "fused CAS" : `${branch} CAS`;
        if (!unpacked[branch]) top += missing(svg, top, name, index.notes[shown.group][branch] || "not in this run");
        else top += curves(svg, top, 66, name, `0 to ${largest.toPrecision(2)}`, branch, [unpacked[branch]], largest, cas[branch][2]);
        top += gap;
      }
    } else {
      place.cas = {};
      top += missing(svg, top, "CAS", "the model does not know this class") + gap;
    }
    top += drawTaught(svg, top) + gap;
    top += drawProposals(svg, top) + gap;
    top += drawTruth(svg, top) + 2;
    for (const [a, b] of video.truth[shown.label] || []) {
      const left = Math.max(place.left, place.x(a)), right = Math.min(place.right, place.x(b));
      if (right > left) make("rect", { class: "ground", x: left, width: right - left, y: 0, height: top - 4 }, ground);
    }
    place.bottom = top;
    top += drawAxis(svg, top);
    window_.setAttribute("height", top);
    make("line", { class: "cursor", y1: 0, y2: place.bottom, x1: -9, x2: -9, visibility: "hidden", id: "cursor" }, svg);
    make("rect", { class: "brush", y: 0, height: place.bottom, x: 0, width: 0, id: "brush" }, svg);
    svg.setAttribute("viewBox", `0 0 ${width} ${top}`);
    place.width = width;
    host.replaceChildren(svg);
  }

  // ---- around the drawing

  const score = (number) => index.videos[number].scores[shown.group];
  const named = (text) => Object.assign(document.createElement("bdi"), { textContent: text });

  function caption() {
    const truth = video.truth[shown.label] || [], found = view().proposals[shown.label] || [];
    const probability = view().probabilities[shown.label];
    const sure = probability === undefined ? "" : `; video probability ${probability.toFixed(2)}`;
    const span = zoomed() ? `${clock(shown.from)} to ${clock(shown.to)} of ${clock(end() - begin())}` : `${clock(end() - begin())} in whole`;
    const config = index.groups.length > 1 ? `, ${index.groups[shown.group]}` : "";
    const place = listed.includes(shown.video) ? `video ${listed.indexOf(shown.video) + 1} of ${listed.length}` : "not among the listed videos";
    const scored = score(shown.video) === null ? "no score" : `score ${score(shown.video).toFixed(1)}`;
    byId("caption").replaceChildren(named(video.id), ": ", named(shown.label ?? "no class"), " ", Object.assign(document.createElement("span"), {
      textContent: `${place}${config}, ${shown.view}; ${scored}; ${truth.length} in ground truth, ${found.length} proposed${sure}; ${span}`,
    }));
  }

  function cell(row, text, head) {
    const node = document.createElement(head ? "th" : "td");
    node.append(named(text));
    if (head) node.scope = row.parentElement.tagName === "THEAD" ? "col" : "row";
    row.appendChild(node);
  }
  function table() {
    const whole = document.createElement("table");
    whole.className = "figures";
    const head = whole.createTHead(), body = whole.createTBody();
    const line = (cells, top) => { const row = (top ? head : body).insertRow(); cells.forEach((text, i) => cell(row, text, top || i === 0)); };
    line(["", "class", "start (s)", "end (s)", "score", "best tIoU"], true);
    for (const label of video.classes) {
      const truth = video.truth[label] || [];
      for (const s of truth) line(["ground truth", label, s[0].toFixed(2), s[1].toFixed(2), "", ""]);
      for (const p of view().proposals[label] || [])
        line(["proposal", label, p[0].toFixed(2), p[1].toFixed(2), p[2].toFixed(3), best(p, truth).toFixed(2)]);
    }
    byId("table").replaceChildren(whole);
  }

  function choices(box, name, items, chosen, choose) {
    const restore = box.contains(document.activeElement);
    box.replaceChildren();
    items.forEach(({ value, text, note, kind }) => {
      const label = document.createElement("label");
      if (kind) label.className = kind;
      const input = Object.assign(document.createElement("input"), { type: "radio", name, checked: value === chosen });
      input.addEventListener("change", () => choose(value));
      label.append(input, named(text));
      if (note) label.append(Object.assign(document.createElement("small"), { textContent: note }));
      box.append(label);
      if (restore && value === chosen) input.focus();
    });
  }

  const zoomed = () => shown.to - shown.from < (end() - begin()) * 0.9999;

  function refresh() {
    caption();
    draw();
    remember();
    byId("whole").disabled = byId("out").disabled = !zoomed();
    byId("in").disabled = shown.to - shown.from <= 2.01 * video.seconds;
  }

  /** Everything that depends on which video, configuration, streams or class is shown. */
  function show() {
    choices(byId("views"), "view", index.views.map((v) => ({ value: v, text: v })), shown.view, (v) => { shown.view = v; show(); });
    choices(byId("labels"), "label", video.classes.map((label) => ({
      value: label, text: label, kind: label in video.truth ? "true" : "",
      note: (view().proposals[label] || []).length ? "" : "not proposed" })), shown.label, (l) => { shown.label = l; show(); });
    refresh();
    table();
  }

  /** Show a video whole: the class shown before where its ground truth has it, otherwise the first that it has. */
  function open(number) {
    shown.video = number;
    video = JSON.parse(entries[number].textContent);
    if (!(shown.label in video.truth)) shown.label = shown.only || (video.classes[0] ?? null); // annotated classes come first
    if (!video.classes.includes(shown.label)) shown.label = video.classes[0] ?? null;
    shown.from = begin();
    shown.to = end();
    byId("video").value = number;
    show();
  }

  /** The video that comes `step` places after the one shown, round the end of the list. */
  function page(step) {
    if (!listed.length) return;
    say("");
    const at = listed.indexOf(shown.video);
    open(listed[at < 0 ? 0 : (at + step + listed.length) % listed.length]);
  }

  /** List the videos that match, in their order, and stay with the one shown if it is among them. */
  function list() {
    listed = browse.list(index.videos, shown);
    byId("video").replaceChildren(...listed.map((number) => {
      const scored = score(number) === null ? "" : `, score ${score(number).toFixed(1)}`;
      return Object.assign(new Option(`${index.videos[number].id}${scored}`, number), { dir: "auto" });
    }));
    byId("previous").disabled = byId("next").disabled = listed.length < 2;
    say(listed.length ? "" : "No video in this file has this class and an id that contains these letters.");
    if (listed.length && !listed.includes(shown.video)) open(listed[0]);
    else { byId("video").value = shown.video; show(); }
  }

  function say(text) {
    byId("note").textContent = text;
    byId("note").hidden = !text;
  }

  // ---- the address: it holds what is shown once a reader has changed it, at most ten times a second

  let due = null, written = 0;
  function remember() {
    if (!started) return;
    clearTimeout(due);
    const wait = written + 100 - Date.now();
    if (wait > 0) { due = setTimeout(remember, wait); return; }
    written = Date.now();
    browse.write({
      video: video.id,
      class: shown.label,
      from: zoomed() ? shown.from.toFixed(2) : "",
      to: zoomed() ? shown.to.toFixed(2) : "",
      configuration: shown.group ? index.groups[shown.group] : "",
      streams: shown.view === index.views[0] ? "" : shown.view,
      order: shown.order === "worst" ? "" : shown.order,
      only: shown.only,
      find: shown.find,
    });
  }

  /** Show what the address says. What it names and this file does not hold is said, and the usual is shown instead. */
  function recall(asked) {
    const missing = [];
    const among = (name, choices, usual) => {
      if (asked[name] === undefined || choices.includes(asked[name])) return asked[name] ?? usual;
      missing.push(`the ${name} \u201c${asked[name]}\u201d`);
      return usual;
    };
    shown.group = Math.max(0, index.groups.indexOf(among("configuration", index.groups, index.groups[0])));
    shown.view = among("streams", index.views, index.views[0]);
    shown.order = among("order", [...byId("order").options].map((option) => option.value), "worst");
    shown.only = among("only", [...byId("only").options].map((option) => option.value), "");
    shown.find = asked.find ?? "";
    for (const name of ["order", "only", "find"]) byId(name).value = shown[name];
    byId("group").selectedIndex = shown.group;
    list();
    const ids = index.videos.map((entry) => entry.id);
    const wanted = among("video", ids, null);
    open(wanted === null ? listed[0] ?? 0 : ids.indexOf(wanted));
    shown.label = among("class", video.classes, shown.label);
    const [from, to] = [Number(asked.from), Number(asked.to)];
    if (asked.from !== undefined || asked.to !== undefined) {
      if (from < to && from < end() && to > begin() && wanted !== null) [shown.from, shown.to] = [Math.max(begin(), from), Math.min(end(), to)];
      else missing.push(`the time from ${asked.from ?? "?"} to ${asked.to ?? "?"} s`);
    }
    show();
    if (missing.length) say(`The address asks for ${missing.join(" and ")}, which this file does not hold; the usual is shown instead.`);
  }

  function sight(from, to) {
    const least = Math.min(end() - begin(), 2 * video.seconds);
    const span = Math.min(end() - begin(), Math.max(least, to - from));
    const middle = (from + to) / 2;
    shown.from = Math.min(Math.max(begin(), middle - span / 2), end() - span);
    shown.to = shown.from + span;
    refresh();
  }
  const zoom = (factor, around = (shown.from + shown.to) / 2) =>
    sight(around - (around - shown.from) * factor, around + (shown.to - around) * factor);
  const move = (share) => { const d = share * (shown.to - shown.from); sight(shown.from + d, shown.to + d); };

  // ---- what people do

  const timeAt = (event) => {
    const box = host.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * place.width;
    return shown.from + ((x - place.left) / (place.right - place.left)) * (shown.to - shown.from);
  };

  function point(event) {
    const time = timeAt(event), cursor = byId("cursor");
    const inside = time >= shown.from && time <= shown.to;
    cursor.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) { byId("readout").textContent = ""; return; }
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, place.x(time));
    const i = Math.min(video.snippets - 1, Math.max(0, snippetAt(time)));
    const said = Object.entries(place.cas).map(([branch, values]) => `${branch} ${values[i].toFixed(3)}`);
    for (const stream of streamsShown())
      if (run().density[stream]) said.push(`${stream} sampled ×${unpack(run().density[stream])[i].toFixed(2)}`);
    byId("readout").textContent = [`${clock(time, 2)}, snippet ${i}`, ...said].join("  ·  ");
  }

  let pressed = null;
  host.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pressed = Math.min(shown.to, Math.max(shown.from, timeAt(event)));
    host.setPointerCapture(event.pointerId);
  });
  host.addEventListener("pointermove", (event) => {
    point(event);
    if (pressed === null) return;
    const now = Math.min(shown.to, Math.max(shown.from, timeAt(event))), brush = byId("brush");
    brush.setAttribute("x", place.x(Math.min(pressed, now)));
    brush.setAttribute("width", Math.abs(place.x(now) - place.x(pressed)));
  });
  host.addEventListener("pointerup", (event) => {
    if (pressed === null) return;
    const now = Math.min(shown.to, Math.max(shown.from, timeAt(event)));
    const wide = Math.abs(place.x(now) - place.x(pressed));
    const [a, b] = [Math.min(pressed, now), Math.max(pressed, now)];
    pressed = null;
    if (wide > 6) sight(a, b);
    else byId("brush").setAttribute("width", 0); // nothing is drawn anew: a double click needs its target to stay
  });
  host.addEventListener("pointercancel", () => { pressed = null; refresh(); });
  host.addEventListener("pointerleave", () => { byId("cursor").setAttribute("visibility", "hidden"); byId("readout").textContent = ""; });
  host.addEventListener("dblclick", () => sight(begin(), end()));
  host.addEventListener("wheel", (event) => {
    if (event.ctrlKey) { event.preventDefault(); zoom(Math.exp(event.deltaY * 0.004), timeAt(event)); }
    else if (zoomed() && Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); move(event.deltaX / 800); }
  }, { passive: false });

  // Left and right work wherever the keys go to nothing that needs them, and lead to the timeline, where up and down zoom.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, pre, .scroll")) return;
    const anywhere = {
      ArrowLeft: () => (event.shiftKey ? move(-0.25) : page(-1)),
      ArrowRight: () => (event.shiftKey ? move(0.25) : page(1)),
    };
    const here = { ArrowUp: () => zoom(0.5), ArrowDown: () => zoom(2), Home: () => sight(begin(), end()) };
    const act = anywhere[event.key] ?? (event.target === host ? here[event.key] : undefined);
    if (!act) return;
    event.preventDefault();
    act();
    if (event.target === host) return;
    host.focus({ preventScroll: true });
    host.scrollIntoView({ block: "nearest", behavior: "instant" });
  });
  byId("previous").addEventListener("click", () => page(-1));
  byId("next").addEventListener("click", () => page(1));
  byId("in").addEventListener("click", () => zoom(0.5));
  byId("out").addEventListener("click", () => zoom(2));
  byId("whole").addEventListener("click", () => sight(begin(), end()));
  byId("video").addEventListener("change", (event) => open(Number(event.target.value)));
  byId("group").addEventListener("change", (event) => { shown.group = event.target.selectedIndex; list(); });
  for (const name of ["order", "only", "find"])
    byId(name).addEventListener("input", (event) => {
      shown[name] = event.target.value;
      if (name === "only" && shown.only) shown.label = shown.only;
      list();
    });
  window.addEventListener("hashchange", () => { const asked = browse.read(); if (asked) recall(asked); });
  window.addEventListener("beforeprint", () => draw(680)); // the width of a page of paper: letters keep their size
  window.addEventListener("afterprint", () => draw());
  new ResizeObserver(() => { if (video && host.clientWidth && Math.abs(host.clientWidth - place.width) > 1) draw(); }).observe(host);

  // ---- begin

  const fill = (select, names) => names.forEach((name) => select.add(new Option(name)));
  fill(byId("group"), index.groups);
  fill(byId("only"), [...new Set(index.videos.flatMap((entry) => entry.truth))].sort());
  byId("group-control").hidden = index.groups.length < 2;
  byId("view-control").hidden = index.views.length < 2;
  byId("order").closest(".control").hidden = index.videos.every((entry) => entry.scores.every((value) => value === null));
  byId("only").closest(".control").hidden = byId("only").options.length < 2;
  byId("controls").hidden = false;
  const asked = browse.read();
  listed = browse.list(index.videos, shown);
  open(listed[0]);
  if (asked) recall(asked);
  else list();
  started = true;
  if (asked) byId("videos").scrollIntoView({ behavior: "instant" });
})();
