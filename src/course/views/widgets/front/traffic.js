// The traffic view: the latest answers a cell each, and the whole run as a band.

const KEPT = 1024;
const PITCH = 10;
const CELL = 8;
const LINES = 10;
const BAND = 120;

/** Everything the page knows of a run; one for all views of it. */
class Answers {
  total = 0;
  missed = 0;
  cells = new Uint8Array(KEPT); // the answer of number n stands at n modulo KEPT
  columns = [];
  versions = [];
  width = 0.1;

  put(first, codes) {
    if (first > this.total) this.missed += first - this.total;
    for (let i = 0; i < codes.length; i++) this.cells[(first + i) % KEPT] = codes[i];
    this.total = Math.max(this.total, first + codes.length);
  }

  frame(frame) {
    if (!frame.versions || frame.total < this.total) return;
    const codes = bytes(frame.cells);
    this.put(frame.total - codes.length, codes);
    this.missed = 0; // what is older than the frame's cells stands in its columns
    this.columns = frame.columns;
    this.versions = frame.versions;
    this.width = frame.width;
  }

  delta(delta) {
    if (!delta.versions) return;
    const codes = bytes(delta.cells);
    if (delta.first + codes.length > this.total) this.put(delta.first, codes);
    if (delta.width !== this.width) return; // the frame that comes with it has the columns
    this.versions = delta.versions;
    for (const [i, ...counts] of delta.columns) {
      while (this.columns.length <= i) this.columns.push([0, 0, 0]);
      this.columns[i] = counts;
    }
  }
}

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function drawCells(context, answers, grid, from, palette, theme) {
  const room = grid.across * grid.down;
  for (let n = Math.max(from, answers.total - room, 0); n < answers.total; n++) {
    const slot = n % room;
    const x = (slot % grid.across) * PITCH;
    const y = Math.floor(slot / grid.across) * PITCH;
    const code = answers.cells[n % KEPT];
    context.fillStyle = theme.ground;
    context.fillRect(x, y, PITCH, PITCH);
    if (code >> 4) failure(context, x + 1, y + 1, CELL - 1, code >> 4, theme);
    else glyph(context, x, y, CELL, code & 15, palette, theme);
  }
  context.fillStyle = theme.ground; // a gap shows where the next answer will stand
  for (let ahead = 0; ahead < 4 && answers.total >= room; ahead++) {
    const slot = (answers.total + ahead) % room;
    context.fillRect((slot % grid.across) * PITCH, Math.floor(slot / grid.across) * PITCH, PITCH, PITCH);
  }
}

function drawBand(canvas, answers, palette, theme) {
  const { context, width } = sized(canvas, BAND);
  const left = 46;
  const top = 22;
  const floor = BAND - 20;
  const seconds = nice(answers.columns.length * answers.width);
  const x = (at) => left + ((width - left - 8) * at) / seconds;
  const counts = answers.columns.map((column) => column.slice(3).reduce((a, b) => a + b, 0));
  const most = Math.max(...counts, 1) / answers.width;
  const step = 10 ** Math.floor(Math.log10(most));
  const high = Math.ceil(most / step) * step;
  const y = (rate) => floor - ((floor - top) * rate) / high;
  context.font = "11px system-ui, sans-serif";
  context.strokeStyle = theme.line;
  context.fillStyle = theme.soft;
  context.textAlign = "right";
  for (const rate of [0, high / 2, high]) {
    context.beginPath();
    context.moveTo(left, Math.round(y(rate)) + 0.5);
    context.lineTo(width - 8, Math.round(y(rate)) + 0.5);
    context.stroke();
    context.fillText(rate ? `${rate}/s` : "0", left - 6, y(rate) + 4);
  }
  context.textAlign = "center";
  for (let i = 0; i <= 5; i++) {
    context.fillText(`${(seconds * i) / 5} s`, Math.min(x((seconds * i) / 5), width - 16), BAND - 5);
  }
  answers.columns.forEach((column, i) => {
    const begin = Math.round(x(i * answers.width)); // whole pixels: no seams between columns
    const wide = Math.max(Math.round(x((i + 1) * answers.width)) - begin, 1);
    let below = 0;
    column.slice(3).forEach((count, version) => {
      if (!count) return;
      const from = y(below / answers.width);
      below += count;
      const to = y(below / answers.width);
      context.fillStyle = color(palette, version + 1);
      context.fillRect(begin, to, wide, from - to);
      // A second version has a bright edge as well as another colour.
      if (version % 2) {
        context.fillStyle = theme.ground;
        context.fillRect(begin, from - 1, wide, 1);
      }
    });
    for (const kind of [1, 2, 3]) {
      if (column[kind - 1]) failure(context, begin - 3, 1 + 7 * (kind - 1), 6, kind, theme);
    }
  });
}

function render({ model, el }, answers, listeners) {
  const view = shell(model, el);
  const palette = model.get("palette");
  const numbers = make("dl", { class: "course-numbers" });
  const legend = make("div", { class: "course-legend" });
  const cells = make("canvas", { role: "img" });
  const band = make("canvas", { role: "img" });
  view.body.append(numbers, cells, legend, band);
  let theme = ink(view.root);
  let grid;
  let drawn = 0;
  let context;
  let named = "";

  const layout = () => {
    theme = ink(view.root);
    const across = Math.max(Math.floor(cells.clientWidth / PITCH), 8);
    grid = { across, down: Math.min(LINES, Math.floor(KEPT / across)), width: cells.clientWidth };
    context = sized(cells, grid.down * PITCH).context;
    drawn = 0;
    named = "";
    draw();
  };
  const draw = () => {
    if (!grid) return;
    // A theme that is being loaded, or a hidden page, may have given us another width.
    if (cells.clientWidth !== grid.width) return layout();
    drawCells(context, answers, grid, drawn, palette, theme);
    drawn = answers.total;
    drawBand(band, answers, palette, theme);
    if (named !== answers.versions.join()) {
      named = answers.versions.join();
      legend.replaceChildren(
        ...answers.versions.map((name, i) =>
          entry(name, (small) => glyph(small, 1, 1, 12, i + 1, palette, theme)),
        ),
        ...FAILURES.map((name, i) =>
          entry(name, (small) => failure(small, 2, 2, 10, i + 1, theme)),
        ),
      );
    }
    view.root.dataset.total = answers.total;
    view.root.dataset.missed = answers.missed;
    view.root.dataset.ended = !model.get("running");
  };
  let waiting = 0;
  const soon = () => {
    if (waiting) return;
    const act = () => ((waiting = 0), draw());
    waiting = REDUCED.matches ? setTimeout(act, 1000) : requestAnimationFrame(act);
  };
  view.on("change:numbers", () => {
    numbers.replaceChildren(
      ...model
        .get("numbers")
        .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
    );
    cells.setAttribute("aria-label", `The latest answers. ${model.get("text")}`);
    band.setAttribute("aria-label", `Answers a second by version. ${model.get("text")}`);
  });
  view.on("change:running", soon);
  listeners.add(soon);
  const look = watchLook(view.root, layout);
  return () => {
    look();
    listeners.delete(soon);
    view.end();
  };
}

export default () => {
  const answers = new Answers();
  const listeners = new Set();
  return {
    initialize({ model }) {
      const tell = () => listeners.forEach((act) => act());
      answers.frame(model.get("frame"));
      answers.delta(model.get("delta"));
      model.on("change:frame", () => (answers.frame(model.get("frame")), tell()));
      model.on("change:delta", () => (answers.delta(model.get("delta")), tell()));
    },
    render: (context) => render(context, answers, listeners),
  };
};
