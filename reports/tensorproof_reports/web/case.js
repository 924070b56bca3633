// One check: all that the record says of it, the same check elsewhere, and what to copy.

/** Statuses and checks of which `--dump` writes a script. */
const DUMPED = ["failed", "known_failure", "fell_back", "error", "out_of_memory"];
const SCRIPTED = ["forward", "gradient", "subset", "fused"];

/** The status of a row, with its symbol and colour. */
function tag(status) {
  return el("span", { class: `tag ${status}` }, `${SYMBOLS[status] ?? "?"} ${status.replaceAll("_", " ")}`);
}

/** A link to a check. */
function caseLink(data, row, text) {
  return el("a", { href: `#case=${encodeURIComponent(caseName(data, row))}` }, text);
}

/** The links to the causes of a row. */
function causeLinks(data, row) {
  const causes = data.runs[data.rows.run[row]].causes;
  return data.rows.cause[row].map((one, index) => [index ? ", " : "", el("a", { href: `#${causes[one][3]}` }, causes[one][0])]);
}

/** The largest error in words; a word in its place says why there is no number. */
function errorText(bars) {
  if (bars === null) return "";
  if (bars === "nan") return " · NaN in the place of a number, or the other way round";
  return typeof bars === "number" ? ` · largest error ${short(bars)} bars (limit 10)` : ` · wrong by ${bars}, not by distance`;
}

/** The page of a check. */
async function drawCase(data, row) {
  const run = data.runs[data.rows.run[row]];
  const status = word(data, "status", row);
  const details = await detailsOf(row);
  const command = commandOf(data, row);
  const flags = Object.entries(FLAGS).filter(([, bit]) => data.rows.flags[row] & bit).map(([name]) => name);
  const message = details?.message ?? word(data, "note", row);
  byId("case").textContent = `${run.key}: ${checkKey(data, row)}`;
  fill(byId("case-body"),
    el("p", {}, tag(status), flags.length ? ` ${flags.join(", ")}` : "",
      errorText(data.rows.bars[row]),
      data.rows.rms[row] === null ? "" : ` · rms ${short(data.rows.rms[row])} bars`),
    message ? el("p", { class: "message" }, message) : null,
    data.rows.cause[row].length ? el("p", {}, "Cause: ", causeLinks(data, row)) : null,
    details?.declaration ? el("p", {}, `Declared: ${details.declaration}`) : null,
    codeBlock(command, "command"),
    DUMPED.includes(status) && SCRIPTED.includes(word(data, "check", row)) ? [el("p", { class: "faint" }, "With the inputs as arrays and a script that needs nothing of tensorproof:"), codeBlock(`${command} --dump=case`, "command for a script")] : null,
    el("p", { class: "actions" }, copyButton("Copy link", () => location.href), " ",
      copyButton("Copy issue text", () => issueText(data, row, details, command))),
    details ? drawnDetails(details, message) : el("p", { class: "faint" }, WRONG.includes(status)
      ? "The details of this check are left out to keep this page small: the record has them, and the command shows them again."
      : "The record says no more of this check."),
    el("p", { class: "faint" }, `${run.versions} · instruction set ${run.instructions} · device ${run.device} · seed ${run.seed}`),
    sameCheck(data, row));
}

/** What the details of a check hold beside the message, which the page has already: findings, inputs, curves, traceback. */
function drawnDetails(details, message) {
  const findings = (details.f ?? []).map((item) => (Array.isArray(item)
    ? { output: item[0], outcome: "passed", largest_z: item[1], rms_z: item[2], size: item[3] } : item));
  const curves = findings.filter((item) => Array.isArray(item.got));
  const judged = findings.filter((item) => !Array.isArray(item.got));
  const columns = [["outside", "outside"], ["size", "of"], ["index", "at"], ["got", "got"], ["expected", "expected"], ["bar", "bar"], ["ulp", "ulp"]];
  const used = columns.filter(([name]) => judged.some((item) => item[name] !== undefined && item[name] !== null));
  return [
    judged.length ? tableOf("Outputs and gradients", ["output", "outcome", "largest error, bars", "rms, bars", ...used.map(([, head]) => head)],
      judged.map((item) => [String(item.output ?? ""), { text: `${SYMBOLS[item.outcome] ?? ""} ${item.outcome ?? ""}`, class: item.outcome },
        { text: short(item.largest_z), class: "number" }, { text: short(item.rms_z), class: "number" },
        ...used.map(([name]) => ({ text: ["bar", "ulp"].includes(name) ? short(item[name]) : exactly(item[name]), class: "number" }))])) : null,
    curves.map(drawnCurve),
    judged.filter((item) => item.outcome === "failed").slice(0, 8).map((item) => drawnFailure(item, message)),
    details.traceback ? codeBlock(details.traceback, "traceback") : null,
    details.placement ? el("p", { class: "faint" }, `Computed on ${details.placement}.`) : null,
    details.inputs ? el("p", { class: "faint" }, `The inputs' bytes begin with SHA-256 ${details.inputs}.`) : null,
  ];
}

/** A value of a record as text: numbers with all their digits. */
function exactly(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const SHOWN_ELSEWHERE = new Set(["output", "outcome", "line", "largest_z", "rms_z", "share", "size", "outside", "index", "got", "expected", "bar", "ulp", "map"]);

/** What made an output fail: the inputs where it is worst, shapes, keywords, and whatever else the record holds but the message. */
function drawnFailure(item, message) {
  const rest = Object.entries(item).filter(([name, value]) => !SHOWN_ELSEWHERE.has(name) && value !== null && exactly(value) !== "{}" && exactly(value) !== "[]");
  const names = { input: "input there", fits: "as if" };
  return [
    el("h3", {}, String(item.output ?? "output")),
    item.line && item.line !== message ? el("p", {}, item.line) : null,
    drawnMap(item.map),
    el("dl", { class: "facts" }, rest.map(([name, value]) => [
      el("dt", {}, names[name] ?? name.replaceAll("_", " ")),
      el("dd", {}, value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.entries(value).map(([key, one]) => el("div", {}, `${key} = ${exactly(one)}`)) : exactly(value)),
    ])),
  ];
}

/** Where an output is wrong: a block of it is a character, and darker the larger the largest error in it is. */
function drawnMap(map) {
  if (!Array.isArray(map?.cells)) return null;
  const rows = map.cells.filter((row) => typeof row === "string").map((row) => [...row].map((level) => el("span", { class: `level-${/^[0-9n]$/.test(level) ? level : "0"}` }, level)));
  return el("figure", {},
    el("figcaption", {}, `Where it is wrong: ${exactly(map.rows)} × ${exactly(map.columns)} elements, the last axis across. 0: at most 1 bar; 1: 10, the limit; 2: 100; and so on; n: NaN or infinity.`),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "map of errors" }, el("pre", { class: "map" }, rows.map((row) => [row, "\n"]))));
}

/** A sequence over training steps: the backend's over the reference's, and their distance. */
function drawnCurve(item) {
  const series = (name, values, line) => ({
    name, joined: true, line, points: (values ?? []).map((value, at) => ({ x: item.steps?.[at] ?? at, y: Number(value) })),
  });
  return chart({
    caption: `${item.output} by step: the backend's and the reference's`, x: { label: "step" }, y: { label: String(item.output) },
    series: [series("this backend", item.got, ""), series("reference", item.expected, "dashed")], height: 240,
  });
}

/** The same check in every run and mode. */
function sameCheck(data, row) {
  const cases = casesOf(data);
  const alike = [];
  for (let other = 0; other < data.count; other += 1) if (cases[other] === cases[row]) alike.push(other);
  if (alike.length < 2) return null;
  return [el("h3", {}, "The same check elsewhere"),
    tableOf("The same check in every backend and mode", ["backend", "mode", "status", "largest error, bars", "rms, bars"],
      alike.map((other) => {
        const status = word(data, "status", other);
        return [data.runs[data.rows.run[other]].key, other === row ? `${word(data, "mode", other)} (this one)` : caseLink(data, other, word(data, "mode", other)),
          { text: `${SYMBOLS[status]} ${status.replaceAll("_", " ")}`, class: status },
          { text: short(data.rows.bars[other]), class: "number" }, { text: short(data.rows.rms[other]), class: "number" }];
      }))];
}

/** A text for the framework's tracker. */
function issueText(data, row, details, command) {
  const run = data.runs[data.rows.run[row]];
  const lines = [
    `${word(data, "operation", row)}: ${word(data, "check", row)} in ${word(data, "dtype", row)}, mode ${word(data, "mode", row)}: ${word(data, "status", row).replaceAll("_", " ")}`,
    "", details?.message ?? word(data, "note", row), "",
    `Versions: ${run.versions}; instruction set ${run.instructions}; device ${run.device}`,
    "", "To reproduce:", "", `    ${command}`,
  ];
  for (const item of (details?.f ?? []).filter((one) => one.outcome === "failed").slice(0, 3)) {
    lines.push("", `${item.output}: got ${exactly(item.got)}, expected ${exactly(item.expected)} ± ${exactly(item.bar)} at ${exactly(item.index)}`);
    if (item.input && Object.keys(item.input).length) lines.push(`Input there: ${exactly(item.input)}; shapes: ${exactly(item.shapes)}; keywords: ${exactly(item.keywords)}`);
  }
  return lines.join("\n");
}
