// The matrix, drawn anew for each query, order and choice of columns.

/** The columns of a view: a run with a mode or a dtype each. */
function columnsOf(data, view) {
  if (view === "mode") return data.runs.flatMap((run, number) => run.modes.map((mode) => ({ run: number, value: data.numbers.get(mode) })));
  const found = data.runs.map(() => new Set());
  for (let row = 0; row < data.count; row += 1) found[data.rows.run[row]].add(data.rows.dtype[row]);
  const none = data.numbers.get("none");
  const order = ["float64", "float32", "bfloat16", "float16"];
  const rank = (value) => order.indexOf(data.words[value]) + 1 || 9;
  return found.flatMap((values, run) => [...values].filter((value) => value !== none).sort((a, b) => rank(a) - rank(b)).map((value) => ({ run, value })));
}

/** Counts by operation, column, part and status of the rows of a mask. */
function countsOf(data, mask, view, columns) {
  const statuses = SEVERITY.length + 1;
  const counts = new Uint32Array(data.operations.length * columns.length * 2 * statuses);
  const place = data.runs.map(() => new Map());
  columns.forEach(({ run, value }, number) => place[run].set(value, number));
  const rows = data.rows;
  const gradients = Uint8Array.from(data.words, (item) => GRADIENTS.includes(item));
  for (let row = 0; row < data.count; row += 1) {
    if (!mask[row]) continue;
    const column = place[rows.run[row]].get(rows[view][row]);
    if (column === undefined) continue;
    const cell = (data.positions.get(rows.operation[row]) * columns.length + column) * 2 + gradients[rows.check[row]];
    counts[cell * statuses + data.rank[rows.status[row]]] += 1;
  }
  return counts;
}

/** What a cell says: its status, its text, and its counts in words. */
function cellOf(counts, start) {
  let total = 0;
  let status = "";
  const told = [];
  for (let rank = 0; rank < SEVERITY.length; rank += 1) {
    const count = counts[start + rank];
    if (!count) continue;
    total += count;
    status ||= SEVERITY[rank];
    told.unshift(`${count} ${SEVERITY[rank].replaceAll("_", " ")}`);
  }
  if (!total) return null;
  const passed = counts[start + SEVERITY.indexOf("passed")];
  const text = status === "unsupported" && !passed ? "–" : `${SYMBOLS[status]} ${passed}/${total}`;
  return { status, text, title: told.join(", "), rank: SEVERITY.indexOf(status), wrong: WRONG.includes(status) ? total - passed : 0 };
}

const folded = new Set();

/** Draw the matrix; the number of operations in it. */
function drawMatrix(data, mask, { view, order }) {
  const table = byId("matrix-table");
  const columns = columnsOf(data, view);
  const counts = countsOf(data, mask, view, columns);
  const statuses = SEVERITY.length + 1;
  const lines = data.operations.map(([name, group], position) => {
    const cells = Array.from({ length: columns.length * 2 }, (_, one) => cellOf(counts, (position * columns.length * 2 + one) * statuses));
    const wrong = cells.reduce((sum, cell) => sum + (cell ? cell.wrong : 0), 0);
    return { name, group, cells, wrong, rank: Math.min(...cells.map((cell) => (cell ? cell.rank : 99))), empty: cells.every((cell) => !cell) };
  }).filter((line) => !line.empty);
  fill(table,
    el("caption", {}, `Operation by backend and ${view}: ${lines.length} operations`),
    el("thead", {},
      el("tr", {}, el("th", { scope: "col", rowspan: 2 }, "operation"),
        columns.map(({ run, value }) => el("th", { scope: "colgroup", colspan: 2 }, data.runs[run].key, el("br"), modeWords(data.words[value])))),
      el("tr", {}, columns.map(() => ["value", "grad."].map((part) => el("th", { scope: "col" }, part))))),
    order === "worst"
      ? el("tbody", {}, [...lines].sort((a, b) => a.rank - b.rank || b.wrong - a.wrong).map(lineOf))
      : data.groups.map(([group, title]) => groupOf(group, title, lines.filter((line) => line.group === group))));
  table.setAttribute("role", "grid");
  const first = table.querySelector("tbody th, tbody td");
  if (first) first.tabIndex = 0;
  return lines.length;

  function lineOf(line) {
    return el("tr", {}, el("th", { scope: "row", "data-op": line.name, tabindex: -1 }, line.name),
      line.cells.map((cell, one) => el("td", cell
        ? { class: cell.status, title: cell.title, "data-op": line.name, "data-column": one, tabindex: -1, "aria-label": `${cell.text} ${cell.title}` }
        : {}, cell ? cell.text : "")));
  }

  function groupOf(group, title, members) {
    if (!members.length) return null;
    const wrong = members.filter((line) => line.wrong).length;
    const body = el("tbody", { class: folded.has(group) ? "folded" : null },
      el("tr", { class: "group" }, el("th", { scope: "rowgroup", colspan: columns.length * 2 + 1, tabindex: -1, "data-group": group, "aria-expanded": String(!folded.has(group)) },
        el("span", {}, `${title}: ${members.length}${wrong ? `, ${wrong} with something wrong` : ""}`))),
      members.map(lineOf));
    return body;
  }
}

/** Clicks and keys of the matrix: arrows move from cell to cell, Enter opens, a group's heading folds. */
function watchMatrix(open) {
  const table = byId("matrix-table");
  const act = (cell) => {
    if (!cell) return;
    if (cell.dataset.group) {
      const body = cell.closest("tbody");
      const hide = body.classList.toggle("folded");
      cell.setAttribute("aria-expanded", String(!hide));
      if (hide) folded.add(cell.dataset.group); else folded.delete(cell.dataset.group);
    } else if (cell.dataset.op) {
      open(cell.dataset.op, cell.dataset.column === undefined ? null : Number(cell.dataset.column));
    }
  };
  table.addEventListener("click", (event) => act(event.target.closest("th, td")));
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("th, td");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      act(cell);
      return;
    }
    const next = neighbour(table, cell, event.key);
    if (!next) return;
    event.preventDefault();
    for (const one of table.querySelectorAll('[tabindex="0"]')) one.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

/** The cell that a key leads to, or null. */
function neighbour(table, cell, key) {
  const sideways = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[key];
  if (sideways) return cell[sideways];
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(key)) return null;
  const line = cell.parentElement;
  if (key === "Home") return line.firstElementChild;
  if (key === "End") return line.lastElementChild;
  const lines = [...table.tBodies].flatMap((body) => (body.classList.contains("folded") ? [body.rows[0]] : [...body.rows]));
  const next = lines[lines.indexOf(line) + (key === "ArrowDown" ? 1 : -1)];
  return next ? next.cells[Math.min(cell.cellIndex, next.cells.length - 1)] : null;
}
