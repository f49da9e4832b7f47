// What all views share: the frame around a drawing, its table, its colours, the glyphs of versions.

const GLYPHS = 4; // solid, with a hole, cut in two, hollow: a colour never stands alone
const NICE = [10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600];
const REDUCED = window.matchMedia("(prefers-reduced-motion: reduce)");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The frame of a view: title, stop, sentence, a place to draw, table, and what is read aloud. */
function shell(model, el) {
  const title = make("p", { class: "course-title" }, model.get("title"));
  const state = make("span", { class: "course-state" });
  const stop = make("button", { type: "button", class: "course-push" }, "Stop");
  stop.dataset.lmSuppressShortcuts = "true"; // Enter is the button's, not JupyterLab's
  stop.addEventListener("click", () => model.send({ do: "stop" }));
  const text = make("p", { class: "course-text" });
  const body = make("div");
  const table = make("table");
  const scroll = make("div", { class: "course-scroll" }, table);
  const aloud = make("div", { class: "course-hidden", role: "status", "aria-live": "polite" });
  const root = make(
    "div",
    // Focus goes here from a button that disappears.
    { class: "course-view", role: "group", "aria-label": model.get("title"), tabindex: "-1" },
    make("header", {}, title, state, stop),
    text,
    body,
    scroll,
    aloud,
  );
  el.append(root);
  const undo = [];
  const on = (name, act) => {
    model.on(name, act);
    undo.push(() => model.off(name, act));
    act();
  };
  on("change:running", () => {
    const running = model.get("running");
    state.textContent = running ? "live" : "ended";
    if (!running && document.activeElement === stop) root.focus();
    stop.hidden = !running;
  });
  on("change:text", () => (text.textContent = model.get("text")));
  on("change:announcement", () => (aloud.textContent = model.get("announcement")));
  const fill = () => {
    const header = model.get("header");
    const rows = model.get("rows");
    scroll.hidden = rows.length === 0;
    const cell = (tag, value, scope) => make(tag, scope ? { scope } : {}, value);
    const head = make("tr", {}, ...header.map((name) => cell("th", name, "col")));
    const lines = rows.map(([first, ...rest]) =>
      make("tr", {}, cell("th", first, "row"), ...rest.map((value) => cell("td", value))),
    );
    table.replaceChildren(
      make("caption", { class: "course-hidden" }, model.get("title")),
      make("thead", {}, head),
      make("tbody", {}, ...lines),
    );
  };
  on("change:rows", fill);
  return { root, body, on, end: () => undo.forEach((act) => act()) };
}

/** Colours of the theme as they are now; a canvas cannot use CSS variables itself. */
function ink(root) {
  const style = getComputedStyle(root);
  const read = (name) => style.getPropertyValue(`--course-${name}`).trim();
  return { ink: read("ink"), soft: read("soft"), ground: read("ground"), line: read("line") };
}

/** Call when the theme or the width changes. */
function watchLook(root, act) {
  const sizes = new ResizeObserver(act);
  sizes.observe(root);
  const themes = new MutationObserver(act);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });
  return () => (sizes.disconnect(), themes.disconnect());
}

/** A canvas of the page's own resolution; returns its context and its size in CSS pixels. */
function sized(canvas, height) {
  const width = Math.max(canvas.clientWidth, 1);
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width };
}

const color = (palette, version) => palette[(version - 1) % palette.length];

/** The glyph of a version (from 1) in a square. */
function glyph(context, x, y, size, version, palette, theme) {
  context.fillStyle = color(palette, version);
  context.fillRect(x, y, size, size);
  context.fillStyle = theme.ground;
  const kind = (version - 1) % GLYPHS;
  const third = size / 3;
  if (kind === 1) context.fillRect(x + third, y + third, third, third);
  if (kind === 2) {
    context.beginPath();
    context.moveTo(x + size, y + third);
    context.lineTo(x + size, y + size);
    context.lineTo(x + third, y + size);
    context.fill();
  }
  if (kind === 3) context.fillRect(x + 2, y + 2, size - 4, size - 4);
}

const FAILURES = ["answered with an error", "no answer", "timed out"];

/** The shape of a failure (1, 2, 3) in a square: diamond, cross, triangle. */
function failure(context, x, y, size, kind, theme) {
  context.strokeStyle = context.fillStyle = theme.ink;
  context.lineWidth = Math.max(1.5, size / 5);
  context.beginPath();
  if (kind === 2) {
    context.moveTo(x, y);
    context.lineTo(x + size, y + size);
    context.moveTo(x + size, y);
    context.lineTo(x, y + size);
    context.stroke();
    return;
  }
  if (kind === 1) {
    context.moveTo(x + size / 2, y);
    context.lineTo(x + size, y + size / 2);
    context.lineTo(x + size / 2, y + size);
    context.lineTo(x, y + size / 2);
  } else {
    context.moveTo(x + size / 2, y);
    context.lineTo(x + size, y + size);
    context.lineTo(x, y + size);
  }
  context.fill();
}

/** A legend's entry: a small drawing and its name. */
function entry(name, draw) {
  const canvas = make("canvas", { width: 28, height: 28, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  draw(context);
  return make("span", {}, canvas, name);
}

const nice = (seconds) => NICE.find((step) => step >= seconds) ?? Math.ceil(seconds / 3600) * 3600;
