// The page's data: decompressed once, then read by column.

const SYMBOLS = {
  passed: "✓", failed: "✗", unsupported: "–", known_failure: "△", not_meaningful: "≈", error: "!", crashed: "†", timed_out: "…",
  out_of_memory: "▪", fell_back: "↩", not_run: "·",
};
/** From the gravest to the least grave. */
const SEVERITY = [
  "crashed", "timed_out", "out_of_memory", "failed", "error", "fell_back", "known_failure", "not_run", "not_meaningful",
  "unsupported", "passed",
];
const WRONG = ["failed", "known_failure", "error", "crashed", "timed_out", "out_of_memory", "fell_back"];
const GRADIENTS = ["gradient", "subset", "fused"];
const FLAGS = { required: 1, stale: 2, unverified: 4, new: 8, fixed: 16 };
const PARTS = ["values", "gradients"];

/** The text of a compressed block of the page; empty if the page has none. */
async function unpacked(id) {
  const holder = byId(id);
  if (!holder || !holder.textContent) return "";
  const text = atob(holder.textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Everything but details; null on a page without checks. */
async function loaded() {
  const text = await unpacked("rows-data");
  if (!text) return null;
  const data = JSON.parse(text);
  const rows = data.rows;
  for (const name of ["run", "operation", "sample", "dtype", "mode", "check", "status", "note", "command", "flags"]) {
    rows[name] = Uint32Array.from(rows[name]);
  }
  data.count = rows.run.length;
  data.numbers = new Map(data.words.map((word, number) => [word, number]));
  data.rank = new Uint8Array(data.words.length).fill(SEVERITY.length);
  SEVERITY.forEach((status, rank) => { if (data.numbers.has(status)) data.rank[data.numbers.get(status)] = rank; });
  data.positions = new Map(data.operations.map(([name], position) => [data.numbers.get(name), position]));
  return data;
}

/** The text of a column of a row. */
const word = (data, column, row) => data.words[data.rows[column][row]];

/** A mode as people read it: that of checks of what a backend declares of itself is none. */
const modeWords = (mode) => (mode === "none" ? "declared" : mode);

/** A check's name, as records and commands know it. */
function checkKey(data, row) {
  const place = ["mode", "operation", "sample", "dtype"].map((column) => word(data, column, row));
  return `${word(data, "check", row)}[${place.join("-")}]`;
}

/** A check's name on this page, with its run. */
const caseName = (data, row) => `${data.runs[data.rows.run[row]].key}:${checkKey(data, row)}`;

/** The row of such a name, or -1. */
function rowOf(data, name) {
  for (let row = 0; row < data.count; row += 1) {
    const run = data.runs[data.rows.run[row]].key;
    if (name.startsWith(run) && name[run.length] === ":" && name.slice(run.length + 1) === checkKey(data, row)) return row;
  }
  return -1;
}

/** The command that repeats a check. */
function commandOf(data, row) {
  const own = { op: "operation", sample: "sample", dtype: "dtype", mode: "mode", check: "check" };
  return word(data, "command", row).split(" ").map((part) => {
    const column = own[part.slice(2, -1)];
    return part.startsWith("--") && part.endsWith("=") && column ? part + word(data, column, row) : part;
  }).join(" ");
}

/** For each row the number of its case: operation, sample, dtype and check, whatever the backend and mode. */
function casesOf(data) {
  if (data.cases) return data.cases;
  const { operation, sample, dtype, check } = data.rows;
  const size = data.words.length;
  const known = new Map();
  const found = new Uint32Array(data.count);
  for (let row = 0; row < data.count; row += 1) {
    const key = ((operation[row] * size + sample[row]) * size + dtype[row]) * size + check[row];
    if (!known.has(key)) known.set(key, known.size);
    found[row] = known.get(key);
  }
  data.caseCount = known.size;
  data.cases = found;
  return found;
}

let detailsLoading = null;

/** The details of a row, or null where the page has none. */
async function detailsOf(row) {
  detailsLoading ??= unpacked("details-data").then((text) => {
    const found = new Map();
    for (const line of text.split("\n")) {
      const number = /^\{"n":(\d+),"d":/.exec(line);
      if (number) found.set(Number(number[1]), line);
    }
    return found;
  });
  const line = (await detailsLoading).get(row);
  return line ? JSON.parse(line).d : null;
}
