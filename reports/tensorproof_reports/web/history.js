// Nights: a line for each series with a small chart, and a series in full.

const SERIES_LISTED = 80;

/** A chart without axes: the series over the nights, with dots where its level begins. */
function sparkline(series, nights) {
  const [width, height] = [240, 28];
  const [low, high] = [Math.min(...series.ratios), Math.max(...series.ratios)];
  const x = (night) => 3 + (night / Math.max(1, nights - 1)) * (width - 6);
  const y = (ratio) => (high === low ? height / 2 : height - 4 - ((ratio - low) / (high - low)) * (height - 8));
  const place = (index) => [x(series.nights[index]).toFixed(1), y(series.ratios[index]).toFixed(1)];
  const path = series.ratios.map((_, index) => `${index ? "L" : "M"}${place(index)}`).join("");
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${series.name}, ${series.ratios.length} nights, ${series.starts.length} changes of level` },
    svg("path", { class: "line s0", d: path }),
    series.starts.map((start) => {
      const [cx, cy] = place(start);
      return svg("circle", { class: "dot s1", cx, cy, r: 3 });
    }));
}

/** A series with its axes. */
function fullSeries(series, nights) {
  const point = (index) => ({ x: series.nights[index], y: series.ratios[index], title: `${nights[series.nights[index]]}: ${short(series.ratios[index])}` });
  return chart({
    caption: `${series.name}, time over the anchor's by night; ${series.machine}`, x: { label: `nights since ${nights[0]}` }, y: { label: "time / time of the anchor" }, width: 900,
    series: [
      { name: "nights", joined: true, points: series.ratios.map((_, index) => point(index)) },
      ...(series.starts.length ? [{ name: "a level begins", points: series.starts.map(point) }] : []),
    ],
  });
}

/** List the series whose names hold all words. */
function drawSeries(data, words) {
  const found = data.series.filter((series) => words.every((one) => series.name.toLowerCase().includes(one)));
  byId("series-said").textContent = `${found.length} of ${data.series.length} series; ${Math.min(found.length, SERIES_LISTED)} are listed`;
  fill(byId("series-table").tBodies[0], found.slice(0, SERIES_LISTED).map((series) => {
    const button = el("button", { type: "button", class: "sort" }, series.name);
    button.addEventListener("click", () => {
      fill(byId("series-full"), fullSeries(series, data.nights));
      byId("series-full").scrollIntoView({ block: "nearest" });
    });
    return el("tr", {}, el("th", { scope: "row" }, button),
      el("td", { class: "number" }, series.starts.length ? `${short(series.change)}×` : "–"), el("td", {}, data.nights[series.nights[series.starts.at(-1) ?? 0]]), el("td", { class: "number" }, short(series.ratios.at(-1))),
      el("td", {}, sparkline(series, data.nights.length)));
  }));
}

/** Wire the list of series. */
async function watchHistory() {
  const text = await unpacked("history-data");
  if (!text) return;
  const data = JSON.parse(text);
  for (const part of [byId("series-form"), ...document.querySelectorAll("#series-table .scripted")]) part.hidden = false;
  byId("series-query").addEventListener("input", (event) => drawSeries(data, event.target.value.toLowerCase().split(/\s+/).filter(Boolean)));
  drawSeries(data, []);
}
