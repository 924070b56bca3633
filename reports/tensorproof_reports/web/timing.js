// Charts of timings: speed against accuracy, ratios with their intervals, and the roofline.

const BARS_LIMIT = 10;

/** A number, or the nearer end of a range: a single one far away would hide all others. */
const clamped = (value, least, most) => Math.min(Math.max(value, least), most);

/** Points by contender, each contender with the same colour and shape in every chart of the section. */
function byContender(section, points, made) {
  // The reference contender first, since the others would vanish under its row of ones.
  const judged = new Set(section.points.filter((point) => point.verdict).map((point) => point.contender));
  const names = [...new Set(section.points.map((point) => point.contender))].sort((a, b) => judged.has(a) - judged.has(b) || a.localeCompare(b));
  return names.map((name, look) => ({ name, look, points: points.filter((point) => point.contender === name).map(made).filter(Boolean) }))
    .filter((one) => one.points.length);
}

/** Speed against accuracy: every measured series. */
function accuracyChart(section) {
  const relative = section.points.some((point) => point.ratio !== null && point.verdict);
  const series = byContender(section, section.points, (point) => {
    const speed = relative ? point.ratio : point.median === null ? null : point.median / 1e3;
    if (speed === null || point.bars === null) return null;
    return {
      x: clamped(point.bars, 0.01, 1e6), y: relative ? clamped(speed, 1e-6, 1e6) : speed, hollow: !point.trusted,
      title: `${point.contender} ${point.place}: ${short(point.bars)} bars, ${short(speed)}${relative ? "× the time" : " µs"}${point.trusted ? "" : ", not trusted"}`,
    };
  });
  if (!series.length) return null;
  return chart({
    caption: `Speed against accuracy: left is closer to the reference, low is fast; hollow is not trusted. The limit of errors is ${BARS_LIMIT} bars; errors under 0.01 bars are drawn there.`,
    x: { label: "largest error, in bars", log: true }, y: { label: relative ? "time / time of the reference contender" : "median time, µs", log: true },
    limits: [{ x: BARS_LIMIT, text: "limit" }], series, width: 760, height: 420,
  });
}

/** Every duel, a column of dots with intervals for each contender, in the order of their ratios. */
function ratioChart(section) {
  const duels = section.points.filter((point) => point.verdict && point.ratio !== null);
  if (!duels.length) return null;
  const ordered = [...duels].sort((a, b) => a.contender.localeCompare(b.contender) || a.ratio - b.ratio);
  const place = new Map(ordered.map((point, index) => [point, index + 1]));
  return chart({
    caption: `Ratio of times of ${duels.length} duels with 95 % intervals, each contender in order; under 1 it is faster. Dashed lines: ±2 %.`,
    x: { label: "duels, contender by contender, from the fastest to the slowest" }, y: { label: "time / time of the reference contender", log: true },
    limits: [{ y: 0.98, text: "" }, { y: 1.02, text: "" }], width: 760, height: 420,
    series: byContender(section, duels, (point) => ({
      x: place.get(point), y: clamped(point.ratio, 1e-6, 1e6),
      low: point.low === null ? undefined : clamped(point.low, 1e-6, 1e6), high: point.high === null ? undefined : clamped(point.high, 1e-6, 1e6), hollow: !point.trusted || point.verdict === "not_resolved",
      title: `${point.contender} ${point.place}: ${short(point.ratio)}× [${short(point.low)}, ${short(point.high)}], ${point.verdict.replaceAll("_", " ")}`,
    })),
  });
}

/** The roofline: rates over intensity, beneath the measured limits. */
function rooflineChart(section) {
  const points = section.points.filter((point) => point.flops && point.intensity && point.trusted);
  const speeds = section.roofs.bandwidth.filter(([size, rate]) => size && rate);
  if (!points.length || !speeds.length) return null;
  const intensities = points.map((point) => point.intensity);
  const [low, high] = [Math.min(...intensities) / 1.5, Math.max(...intensities) * 1.5];
  const peaks = Object.entries(section.roofs.peaks).filter(([, rate]) => rate);
  const memory = speeds.at(-1);
  const cache = speeds.reduce((a, b) => (b[1] > a[1] ? b : a));
  const roof = (name, rate, line) => ({ name, joined: true, line, dotless: true, points: [low, high].map((x) => ({ x, y: (x * rate) / 1e9 })) });
  return chart({
    caption: "Roofline: floating-point operations a second over operations a byte, both by formula; series that are trusted. Lines are limits measured on this machine.",
    x: { label: "operations / byte", log: true, least: low, most: high }, y: { label: "GFLOP/s", log: true },
    limits: peaks.map(([dtype, rate]) => ({ y: rate / 1e9, text: `matrix product, ${dtype}` })), width: 760, height: 420,
    series: [
      ...byContender(section, points, (point) => ({ x: point.intensity, y: point.flops / 1e9, title: `${point.contender} ${point.place}: ${short(point.flops / 1e9)} GFLOP/s` })),
      roof(`bandwidth of caches, ${short(cache[1] / 1e9)} GB/s`, cache[1], "dashed"), ...(cache === memory ? [] : [roof(`bandwidth of memory, ${short(memory[1] / 1e9)} GB/s`, memory[1], "dotted")]),
    ],
  });
}

/** Make a row's trust, or its message, open to all that was recorded. */
function addDetails(table, details) {
  const rows = [...table.querySelectorAll("tbody tr")].filter((row) => !row.querySelector("th[scope=rowgroup]"));
  rows.forEach((row, index) => {
    const cell = row.querySelector("td.trust, td.message");
    if (!cell || !details[index]?.length) return;
    const opened = el("details", {}, el("summary", {}, (cell.querySelector("summary") ?? cell).textContent));
    opened.addEventListener("toggle", () => {
      if (opened.children.length === 1) opened.append(el("dl", {}, details[index].map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)])));
    });
    fill(cell, opened);
  });
}

/** Draw the charts of every section of timings, when it comes near the window. */
async function watchCharts() {
  const text = await unpacked("timings-data");
  if (!text) return;
  const sections = JSON.parse(text);
  for (const table of document.querySelectorAll("table.timings[data-section]")) addDetails(table, sections[Number(table.dataset.section)].details);
  for (const place of document.querySelectorAll(".charts")) {
    const section = sections[Number(place.dataset.section)];
    place.hidden = false;
    whenNear(place, () => {
      fill(place, [accuracyChart(section), ratioChart(section), rooflineChart(section)]);
      place.classList.add("drawn");
    });
  }
}
