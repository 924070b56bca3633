// One operation: what it must compute, how every backend does, and its checks; and the list of checks that a query finds.

const LISTED = 100;

/** The rows of a mask, wrong ones first, then by error. */
function byNeed(data, rows) {
  const size = (row) => (typeof data.rows.bars[row] === "number" ? data.rows.bars[row] : data.rows.bars[row] === null ? -1 : Infinity);
  return rows.sort((a, b) => data.rank[data.rows.status[a]] - data.rank[data.rows.status[b]] || size(b) - size(a) || a - b);
}

/** The cells of a row in a list of checks. */
function listed(data, row) {
  const status = word(data, "status", row);
  return [caseLink(data, row, `${word(data, "operation", row)} ${word(data, "sample", row)}`),
    { text: `${SYMBOLS[status] ?? "?"} ${status.replaceAll("_", " ")}`, class: status }, data.runs[data.rows.run[row]].key,
    word(data, "mode", row), word(data, "dtype", row), word(data, "check", row),
    { text: short(data.rows.bars[row]), class: "number" }, { text: short(data.rows.rms[row]), class: "number" },
    data.rows.cause[row].length ? el("span", {}, causeLinks(data, row)) : ""];
}

const LIST_HEADS = ["check of", "status", "backend", "mode", "dtype", "check", "largest error, bars", "rms, bars", "cause"];

/** The checks that a query finds. */
function drawList(data, mask, shown) {
  data.byNeed ??= byNeed(data, Array.from({ length: data.count }, (_, row) => row));
  const found = data.byNeed.filter((row) => mask[row]);
  const table = byId("cases-table");
  byId("cases-said").textContent = `${found.length} of ${data.count} checks; ${Math.min(shown, found.length)} are listed.`;
  fill(table, el("caption", {}, "Checks that the query finds, wrong ones first"),
    el("thead", {}, el("tr", {}, LIST_HEADS.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, found.slice(0, shown).map((row) => el("tr", {}, listed(data, row).map((item, index) => {
      const told = item !== null && typeof item === "object" && !(item instanceof Node) ? item : { text: item };
      return el(index ? "td" : "th", { scope: index ? null : "row", class: told.class }, told.text);
    })))));
  byId("cases-more").hidden = found.length <= shown;
}

/** The page of an operation; `cell` is {run, view, value, part} where one cell of the matrix was chosen. */
function drawOperation(data, name, cell) {
  const position = data.operations.findIndex(([own]) => own === name);
  const number = data.numbers.get(name);
  const rows = [];
  for (let row = 0; row < data.count; row += 1) if (data.rows.operation[row] === number) rows.push(row);
  const inCell = cell ? rows.filter((row) => data.rows.run[row] === cell.run && word(data, cell.view, row) === cell.value
    && GRADIENTS.includes(word(data, "check", row)) === (cell.part === "gradients")) : rows;
  byId("operation").textContent = cell ? `${name}: ${data.runs[cell.run].key}, ${modeWords(cell.value)}, ${cell.part}` : name;
  const text = position < 0 ? "" : data.operations[position][2];
  const listedRows = byNeed(data, [...inCell]);
  fill(byId("operation-body"),
    el("p", {}, countsInWords(data, inCell)),
    notes(data, inCell),
    tableOf(cell ? "Checks of this cell, wrong ones first" : "Checks, wrong ones first", LIST_HEADS, listedRows.slice(0, cell ? LISTED : 20).map((row) => listed(data, row))),
    listedRows.length > (cell ? LISTED : 20) ? el("p", {}, el("a", { href: `#q=${encodeURIComponent(`op:${name}`)}&at=cases` }, `All ${rows.length} checks of ${name}`)) : null,
    el("h3", {}, `${name} in every backend`),
    standing(data, rows),
    text ? el("details", { open: !cell }, el("summary", {}, "What it must compute"), el("div", { class: "docs" }, text.split("\n\n").map((part) => el("p", {}, part)))) : null,
    timingLinks(name));
}

/** The counts of rows by status, in words. */
function countsInWords(data, rows) {
  const counts = new Map();
  for (const row of rows) counts.set(word(data, "status", row), (counts.get(word(data, "status", row)) ?? 0) + 1);
  return SEVERITY.filter((status) => counts.has(status)).flatMap((status) => [tag(status), ` ${counts.get(status)} `]);
}

/** The causes of rows, with what they say. */
function notes(data, rows) {
  const seen = new Map();
  for (const row of rows) {
    for (const one of data.rows.cause[row]) {
      const cause = data.runs[data.rows.run[row]].causes[one];
      seen.set(cause[3], cause);
    }
  }
  const reasons = new Set(rows.filter((row) => data.rows.note[row] && word(data, "note", row)).map((row) => word(data, "note", row)));
  if (!seen.size && !reasons.size) return null;
  return el("ul", { class: "notes" },
    [...seen.values()].map(([name, headline, known, anchor]) => el("li", {}, tag(known ? "known_failure" : "failed"), " ", el("a", { href: `#${anchor}` }, name), ` ${headline}`)),
    [...reasons].slice(0, 12).map((reason) => el("li", {}, tag("unsupported"), ` ${reason}`)));
}

/** How each backend and mode stands: by dtype passed of all, the largest error and rms. */
function standing(data, rows) {
  const groups = new Map();
  for (const row of rows) {
    if (word(data, "mode", row) === "none") continue;
    const key = [data.rows.run[row], data.rows.mode[row], data.rows.dtype[row]].join();
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return tableOf("By backend, mode and dtype", ["backend", "mode", "dtype", "source", "status", "passed", "of", "largest error, bars", "worst rms, bars"],
    [...groups.values()].map((members) => {
      const row = members[0];
      const run = data.runs[data.rows.run[row]];
      const status = SEVERITY.find((one) => members.some((member) => word(data, "status", member) === one)) ?? "not_run";
      const passed = members.filter((member) => word(data, "status", member) === "passed").length;
      return [run.key, word(data, "mode", row), word(data, "dtype", row), run.sources[word(data, "operation", row)] ?? "–",
        { text: `${SYMBOLS[status]} ${status.replaceAll("_", " ")}`, class: status }, { text: passed, class: "number" }, { text: members.length, class: "number" },
        { text: short(largest(data.rows.bars, members)), class: "number" }, { text: short(largest(data.rows.rms, members)), class: "number" }];
    }));
}

/** The largest number of a column; a word, as nan, is larger than any. */
function largest(column, rows) {
  const values = rows.map((row) => column[row]).filter((value) => value !== null);
  const named = values.find((value) => typeof value === "string");
  return named ?? (values.length ? values.reduce((a, b) => Math.max(a, b)) : null);
}

/** Links to the timings of an operation on this page. */
function timingLinks(name) {
  const found = [...document.querySelectorAll("tbody[data-op]")].filter((body) => body.dataset.op === name && body.id);
  return found.length ? el("p", {}, "Timings: ", found.map((body) => [el("a", { href: `#${body.id}` }, body.dataset.place), " "])) : null;
}
