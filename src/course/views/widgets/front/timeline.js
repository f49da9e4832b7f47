// The rollout timeline: each pod a bar, hollow while it is not ready, filled while it is.

const [STARTING, READY, HELD, ENDING, GONE] = [0, 1, 2, 3, 4];
const MOST = 40; // pods that are drawn; the table counts all
const LEFT = 172;
const COUNT = 54;
const SVG = "http://www.w3.org/2000/svg";
let made = 0;

/** Everything the page knows of a rollout. */
class Pods {
  bars = [];
  marks = [];
  versions = [];
  desired = 0;
  now = 0;
  stamp = performance.now();

  take(news, whole) {
    if (!news.bars) return;
    this.versions = news.versions;
    this.desired = news.desired;
    for (const [i, name, version, revision, since, changes] of news.bars) {
      const bar = this.bars[i] ?? { changes: [] };
      bar.changes.splice(since, Infinity, ...changes);
      this.bars[i] = Object.assign(bar, { name, version, revision });
    }
    if (whole) this.marks = news.marks;
    else this.marks = this.marks.concat(news.marks);
    this.tick(news.now);
  }

  tick(now) {
    this.now = now;
    this.stamp = performance.now();
  }

  at(running) {
    return running ? this.now + (performance.now() - this.stamp) / 1000 : this.now;
  }
}

function draw(svg, pods, model, id) {
  const width = Math.max(svg.clientWidth, 320);
  const palette = model.get("palette");
  const now = pods.at(model.get("running"));
  const seconds = nice(Math.max(now, 1));
  const shown = pods.bars.map((bar, i) => ({ ...bar, i })).slice(-MOST);
  const high = shown.length > 16 ? 13 : 20;
  const top = 48;
  const middle = top + shown.length * high;
  const height = middle + COUNT + 34;
  const x = (at) => LEFT + ((width - LEFT - 14) * Math.min(at, seconds)) / seconds;
  const out = [];
  const add = (tag, attributes, text) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    out.push(element);
    return element;
  };
  out.push(patterns(pods.versions, palette, id));
  for (let i = 0; i <= 5; i++) {
    const at = (seconds * i) / 5;
    add("line", { x1: x(at), x2: x(at), y1: top, y2: height - 30, class: "course-grid" });
    const anchor = i === 5 ? "end" : "middle";
    add("text", { x: x(at), y: height - 16, "text-anchor": anchor }, `${at} s`);
  }
  shown.forEach((bar, row) => {
    const y = top + row * high;
    const name = `${bar.name.split("-").slice(-2).join("-")}  ${pods.versions[bar.version - 1]}`;
    add("text", { x: 0, y: y + high / 2 + 4 }, name.length > 28 ? `${name.slice(0, 27)}…` : name);
    bar.changes.forEach(([at, state], i) => {
      if (state === GONE) return;
      const until = bar.changes[i + 1]?.[0] ?? now;
      const thin = state === ENDING;
      const hue = color(palette, bar.version);
      add("rect", {
        x: x(at) + 0.5,
        y: y + (thin ? high / 2 - 2 : 3),
        width: Math.max(x(until) - x(at) - 1, 1),
        height: thin ? 4 : high - 6,
        fill: state === READY ? `url(#${id}-${bar.version})` : "none",
        stroke: hue,
        "stroke-width": 1.5,
        "stroke-dasharray": state === HELD ? "3 3" : "none",
      });
    });
  });
  const most = Math.max(pods.desired + 1, ...readyCounts(pods, now).map(([, ...c]) => sum(c)), 1);
  const level = (count) => middle + COUNT - ((COUNT - 12) * count) / most;
  add("text", { x: 0, y: middle + COUNT / 2 + 8 }, "ready pods");
  add("text", { x: LEFT - 8, y: level(0) + 3, "text-anchor": "end" }, "0");
  const counts = readyCounts(pods, now);
  counts.forEach(([at, ...byVersion], i) => {
    const until = counts[i + 1]?.[0] ?? now;
    let below = 0;
    byVersion.forEach((count, version) => {
      if (!count || until <= at) return;
      add("rect", {
        x: x(at),
        y: level(below + count),
        width: x(until) - x(at),
        height: level(below) - level(below + count),
        "shape-rendering": "crispEdges",
        fill: `url(#${id}-${version + 1})`,
      });
      below += count;
    });
  });
  if (pods.desired) {
    const y = level(pods.desired);
    add("line", { x1: LEFT, x2: width - 14, y1: y, y2: y, class: "course-mark" });
    add("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, `wanted ${pods.desired}`);
  }
  add("line", { x1: LEFT, x2: width - 14, y1: level(0), y2: level(0), class: "course-axis" });
  const ends = [-Infinity, -Infinity, -Infinity]; // of the labels in each line, from the left
  for (const [at, what] of pods.marks) {
    const long = 6.2 * what.length + 8;
    const from = Math.min(x(at) + 3, width - long);
    const line = Math.max(ends.findIndex((end) => end <= from), 0);
    ends[line] = from + long;
    add("line", { x1: x(at), x2: x(at), y1: 14 * line + 2, y2: level(0), class: "course-mark" });
    add("text", { x: from, y: 14 * line + 11 }, what);
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.replaceChildren(...out);
}

const sum = (counts) => counts.reduce((a, b) => a + b, 0);

/** Times at which the number of ready pods of some version changed, with the numbers. */
function readyCounts(pods, now) {
  const events = [];
  for (const bar of pods.bars) {
    let ready = false;
    for (const [at, state] of bar.changes) {
      if ((state === READY) !== ready) {
        ready = state === READY;
        events.push([at, bar.version, ready ? 1 : -1]);
      }
    }
  }
  events.sort((a, b) => a[0] - b[0]);
  const counts = pods.versions.map(() => 0);
  const out = [];
  for (const [at, version, step] of events) {
    counts[version - 1] += step;
    if (at <= now) out.push([at, ...counts]);
  }
  return out;
}

/** A fill for each version: its colour, and a glyph of its own. */
function patterns(versions, palette, id) {
  const defs = document.createElementNS(SVG, "defs");
  versions.forEach((_, i) => {
    const shapes = [
      "",
      '<circle cx="4" cy="4" r="1.6" fill="var(--course-ground)"/>',
      '<path d="M0 8L8 0" stroke="var(--course-ground)" stroke-width="2"/>',
      '<path d="M0 8L8 0M0 0L8 8" stroke="var(--course-ground)" stroke-width="1.5"/>',
    ][i % GLYPHS];
    const pattern = document.createElementNS(SVG, "pattern");
    pattern.setAttribute("id", `${id}-${i + 1}`);
    pattern.setAttribute("width", 8);
    pattern.setAttribute("height", 8);
    pattern.setAttribute("patternUnits", "userSpaceOnUse");
    pattern.innerHTML = `<rect width="8" height="8" fill="${color(palette, i + 1)}"/>${shapes}`;
    defs.append(pattern);
  });
  return defs;
}

function legend(pods, palette, theme) {
  const box = (dash, thin) => (small) => {
    small.strokeStyle = theme.ink;
    small.lineWidth = 1.5;
    small.setLineDash(dash);
    small.strokeRect(1.5, thin ? 5.5 : 2.5, 11, thin ? 3 : 9);
  };
  return [
    ...pods.versions.map((name, i) =>
      entry(`${name} ready`, (small) => glyph(small, 1, 1, 12, i + 1, palette, theme)),
    ),
    entry("not ready", box([], false)),
    entry("cannot start", box([2, 2], false)),
    entry("terminating", box([], true)),
  ];
}

function render({ model, el }, pods, listeners) {
  const view = shell(model, el);
  const id = `course-pods-${++made}`;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("role", "img");
  const names = make("div", { class: "course-legend" });
  view.body.append(svg, names);
  const again = () => draw(svg, pods, model, id);
  const look = () => {
    names.replaceChildren(...legend(pods, model.get("palette"), ink(view.root)));
    again();
  };
  let versions = -1;
  const act = () => {
    svg.setAttribute("aria-label", `Pods against time. ${model.get("text")}`);
    if (versions === pods.versions.length) return again();
    versions = pods.versions.length;
    look();
  };
  listeners.add(act);
  view.on("change:running", act);
  const clock = setInterval(
    () => !document.hidden && model.get("running") && again(),
    REDUCED.matches ? 2000 : 250,
  );
  const unlook = watchLook(view.root, look);
  return () => {
    clearInterval(clock);
    unlook();
    listeners.delete(act);
    view.end();
  };
}

export default () => {
  const pods = new Pods();
  const listeners = new Set();
  return {
    initialize({ model }) {
      const tell = () => listeners.forEach((act) => act());
      pods.take(model.get("frame"), true);
      model.on("change:frame", () => (pods.take(model.get("frame"), true), tell()));
      model.on("change:delta", () => (pods.take(model.get("delta"), false), tell()));
      model.on("change:clock", () => pods.tick(model.get("clock")));
    },
    render: (context) => render(context, pods, listeners),
  };
};
