// Training: the loss of every backend over the reference's, and how far each step lies from it, in bars.

const TRAINED = ["training", "fitting"];

/** The models that were trained here, each with its rows: checks of the same operation, sample and dtype. */
function trainedModels(data) {
  const found = new Map();
  for (let row = 0; row < data.count; row += 1) {
    if (!TRAINED.includes(word(data, "check", row)) || data.rows.note[row] && word(data, "note", row)) continue;
    const name = ["operation", "sample", "dtype"].map((column) => word(data, column, row)).join(" ");
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(row);
  }
  return new Map([...found].sort());
}

/** The points of a list of numbers over their steps' numbers; what is no number is left out. */
const stepped = (values, steps) => (values ?? []).map((value, at) => ({ x: steps?.[at] ?? at, y: typeof value === "number" ? value : NaN }));

/** Two charts stand side by side in a window of 1280. */
const CHART_WIDTH = 600;

/** A step's distance as drawn: at least 0.01 bars, and nowhere where it is no number. */
const distanceOf = (bars) => (typeof bars === "number" ? Math.max(bars, 0.01) : NaN);

/** Draw a model's training in all backends. */
async function drawTraining(data, rows) {
  const runs = [];
  for (const row of rows) runs.push({ row, name: `${data.runs[data.rows.run[row]].key} ${word(data, "mode", row)}`, details: await detailsOf(row) });
  const told = runs.filter((run) => run.details);
  const curves = new Map();
  const distances = [];
  for (const [look, { name, details }] of told.entries()) {
    const findings = details.f ?? [];
    for (const item of findings.filter((one) => Array.isArray(one.got))) {
      if (!curves.has(item.output)) curves.set(item.output, [{ name: "reference", joined: true, line: "dashed", dotless: true, points: stepped(item.expected, item.steps) }]);
      curves.get(item.output).push({ name, look, joined: true, points: stepped(item.got, item.steps) });
    }
    const judged = findings.filter((one) => !Array.isArray(one.got));
    const steps = findings.find((one) => Array.isArray(one.got))?.steps;
    const points = judged.map((one, at) => ({ x: steps?.[at] ?? at, y: distanceOf(Array.isArray(one) ? one[1] : one.largest_z), title: `${name}, ${steps?.[at] ?? at}: ${Array.isArray(one) ? one[0] : one.output}` }));
    distances.push({ name, look, joined: true, points });
  }
  fill(byId("training-body"),
    el("p", {}, runs.map(({ row, name }) => [caseLink(data, row, name), " ", tag(word(data, "status", row)), " "])),
    told.length ? null : el("p", {}, "The details of these checks are left out to keep this page small: the records have them."),
    [...curves].map(([output, series]) => chart({ caption: `${output}, over the reference's`, x: { label: "step or epoch" }, y: { label: output }, series, width: CHART_WIDTH })),
    distances.some((one) => one.points.length) ? chart({
      caption: "Distance from the reference in bars, the worst output of each step; each step begins at the reference's state. Under 0.01 bars is drawn there; what is no number, as NaN, has no dot.",
      x: { label: "step, or output" }, y: { label: "bars", log: true }, limits: [{ y: BARS_LIMIT, text: "limit" }], series: distances, width: CHART_WIDTH,
    }) : null);
}

/** Wire the choice of models. */
function watchTraining(data) {
  const models = trainedModels(data);
  if (!models.size) return;
  byId("training-section").hidden = false;
  byId("training-link").hidden = false;
  const select = byId("training-model");
  const drawn = () => drawTraining(data, models.get(select.value));
  fill(select, [...models.keys()].map((name) => el("option", { value: name }, name)));
  // A wrong one first; else a step by step one, whose charts tell more than those of a single epoch.
  const isWrong = ([, rows]) => rows.some((row) => WRONG.includes(word(data, "status", row)));
  const first = [...models].find(isWrong) ?? [...models].find(([name]) => name.includes("_training "));
  if (first) select.value = first[0];
  select.addEventListener("change", drawn);
  whenNear(byId("training-section"), drawn);
}
