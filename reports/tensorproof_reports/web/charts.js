// Charts as SVG elements: lines, dots and intervals on linear or logarithmic axes. Colours come from the style sheet, so that they
// follow light and dark; a shape goes with each, so that none is told by colour alone.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = [
  "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z", "M-4,-4H4V4H-4Z", "M0,-5L5,4H-5Z", "M0,-5L5,0L0,5L-5,0Z", "M0,5L5,-4H-5Z",
  "M-5,-2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z", "M5,-5V5L-4,0Z", "M-5,-5V5L4,0Z",
];

/** An SVG element. */
function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  add(made, children);
  return made;
}

/** Where an axis is labelled: about six round numbers. */
function ticksOf(low, high, log) {
  if (log) {
    const powers = Math.log10(high / low);
    const factors = powers <= 1.5 ? [1, 2, 3, 5] : powers <= 4 ? [1, 3] : [1];
    const every = Math.max(1, Math.round(powers / 7));
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      if (power % every) continue;
      for (const factor of factors) {
        const tick = Number(`${factor}e${power}`);
        if (tick >= low * 0.9999 && tick <= high * 1.0001) found.push(tick);
      }
    }
    return found.length > 1 ? found : ticksOf(low, high, false);
  }
  const rough = (high - low) / 6 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step) found.push(Number(tick.toPrecision(12)));
  return found;
}

/** An axis: the function from values to pixels, its ends and ticks. Values that it cannot show are drawn at its ends. */
function axisOf({ label, log = false, values, from, to, least, most }) {
  const usable = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  let low = least ?? Math.min(...usable);
  let high = most ?? Math.max(...usable);
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = log ? [0.1, 1] : [0, 1];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 1, high + 1];
  const room = log ? (high / low) ** 0.04 : (high - low) * 0.04;
  if (least === undefined) low = log ? low / room : low - room;
  if (most === undefined) high = log ? high * room : high + room;
  const scaled = log ? Math.log : (value) => value;
  const at = (value) => {
    const inside = Math.min(Math.max(value, low), high);
    return from + ((scaled(inside) - scaled(low)) / (scaled(high) - scaled(low))) * (to - from);
  };
  return { label, at, ticks: ticksOf(low, high, log), low, high };
}

/**
 * A chart with its caption and legend.
 *
 * `series`: [{name, points: [{x, y, low, high, title, hollow, href}], joined, line, dotless, look}]; `limits`: lines across it, [{y, text}] or [{x, text}].
 */
function chart({ caption, x, y, series, limits = [], width = 640, height = 320 }) {
  const left = 64, right = 12, top = 10, bottom = 42;
  const points = series.flatMap((one) => one.points);
  const across = limits.filter((limit) => limit.y !== undefined);
  const upright = limits.filter((limit) => limit.x !== undefined);
  const xs = axisOf({ ...x, values: [...points, ...upright].map((point) => point.x), from: left, to: width - right });
  const ys = axisOf({
    ...y, values: [...points.flatMap((point) => [point.y, point.low, point.high].filter((value) => value !== undefined)), ...across.map((limit) => limit.y)],
    from: height - bottom, to: top,
  });
  const parts = [
    ys.ticks.map((tick) => [
      svg("line", { class: "grid", x1: left, x2: width - right, y1: ys.at(tick), y2: ys.at(tick) }),
      svg("text", { x: left - 6, y: ys.at(tick) + 4, "text-anchor": "end" }, short(tick)),
    ]),
    xs.ticks.map((tick) => [
      svg("line", { class: "grid", x1: xs.at(tick), x2: xs.at(tick), y1: top, y2: height - bottom }),
      svg("text", { x: xs.at(tick), y: height - bottom + 15, "text-anchor": "middle" }, short(tick)),
    ]),
    series.map((one, number) => drawnSeries(one, number, xs, ys)),
    svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xs.label),
    svg("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, ys.label),
    upright.map((limit) => [
      svg("line", { class: "limit", x1: xs.at(limit.x), x2: xs.at(limit.x), y1: top, y2: height - bottom }),
      svg("text", { x: xs.at(limit.x) + 4, y: top + 10 }, limit.text),
    ]),
    across.map((limit) => [
      svg("line", { class: "limit", x1: left, x2: width - right, y1: ys.at(limit.y), y2: ys.at(limit.y) }),
      svg("text", { x: width - right - 4, y: ys.at(limit.y) - 4, "text-anchor": "end" }, limit.text),
    ]),
  ];
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": caption }, parts);
  const legend = series.map((one, number) => el("span", { class: "legend" }, symbolOf(one, number), ` ${one.name} `));
  return el("figure", {}, el("div", { class: "legends" }, legend),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, drawing), el("figcaption", {}, caption));
}

/** Colour and shape of a series: those of its place, or of its `look`. A line without dots is none of the things that are compared. */
const lookOf = (one, number) => (one.look ?? number) % 8;
const colourOf = (one, number) => (one.dotless ? "ink" : `s${lookOf(one, number)}`);

/** The symbol of a series, for a legend. */
function symbolOf(one, number) {
  const drawn = one.dotless ? { class: `line ink ${one.line ?? ""}`, d: "M-12,0H12" } : { class: `dot ${colourOf(one, number)}`, d: SHAPES[lookOf(one, number)] };
  const width = one.dotless ? 24 : 12;
  return svg("svg", { width, height: 12, viewBox: `${-width / 2} -6 ${width} 12`, "aria-hidden": "true" }, svg("path", drawn));
}

function drawnSeries(one, number, xs, ys) {
  const colour = colourOf(one, number);
  const shown = one.points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const path = shown.map((point, index) => `${index ? "L" : "M"}${xs.at(point.x).toFixed(1)},${ys.at(point.y).toFixed(1)}`).join("");
  return [
    one.joined ? svg("path", { class: `line ${colour} ${one.line ?? ""}`, d: path }) : null,
    one.dotless ? [] : shown.map((point) => {
      const place = [xs.at(point.x).toFixed(1), ys.at(point.y).toFixed(1)];
      const dot = svg("path", { class: `dot ${colour}${point.hollow ? " hollow" : ""}`, d: SHAPES[lookOf(one, number)], transform: `translate(${place})` },
        svg("title", {}, point.title ?? `${one.name}: ${short(point.x)}, ${short(point.y)}`));
      const interval = point.low === undefined ? null
        : svg("line", { class: `interval ${colour}`, x1: place[0], x2: place[0], y1: ys.at(point.low), y2: ys.at(point.high) });
      return [interval, dot];
    }),
  ];
}
