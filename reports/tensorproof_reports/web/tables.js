// Tables that sort, and the two backends that are compared.

const UNITS = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** The first number of a cell, in the smallest unit; null where it has none. */
function sortValue(cell) {
  const text = cell.textContent.trim();
  const found = /(-?\d[\d.]*(?:e[+-]?\d+)?) ?(ns|µs|ms|s|B|KiB|MiB|GiB|TiB)?(?![\p{L}\d])/u.exec(text);
  if (!found) return /\binf\b|never/.test(text) ? Infinity : null;
  const value = Number(found[1]) * (UNITS[found[2]] ?? 1);
  // "faster 2×" is half the time.
  return text.includes("faster") ? 1 / value : value;
}

/** Make the heads of a table's last row of heads sort it: up, down, and as it was. */
function makeSortable(table) {
  const bodies = [...table.tBodies];
  const original = bodies.map((body) => [body, [...body.rows]]);
  const heads = [...table.tHead.rows].at(-1).cells;
  [...heads].forEach((head, column) => {
    const button = el("button", { type: "button", class: "sort" }, [...head.childNodes]);
    head.append(button);
    button.addEventListener("click", () => {
      const way = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") ?? "none"];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (way !== "none") head.setAttribute("aria-sort", way);
      sortTable(table, original, column, way);
    });
  });
}

function sortTable(table, original, column, way) {
  for (const body of [...table.tBodies]) body.remove();
  if (way === "none") {
    for (const [body, rows] of original) {
      body.replaceChildren(...rows);
      table.append(body);
    }
    return;
  }
  const rows = original.flatMap(([body, members]) => members.filter((row) => !row.querySelector("th[scope=rowgroup]")).map((row) => {
    if (body.dataset.place) row.cells[0].setAttribute("data-place", body.dataset.place);
    return row;
  }));
  const cell = (row) => row.cells[column];
  const sign = way === "ascending" ? 1 : -1;
  const numeric = rows.some((row) => cell(row) && sortValue(cell(row)) !== null) && column > 0;
  rows.sort((a, b) => {
    if (!cell(a) || !cell(b)) return cell(a) ? -1 : cell(b) ? 1 : 0;
    if (!numeric) return sign * cell(a).textContent.localeCompare(cell(b).textContent);
    const [one, other] = [sortValue(cell(a)), sortValue(cell(b))];
    // What is missing stays below, whichever way.
    if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1;
    return sign * (one - other);
  });
  table.append(el("tbody", { class: "sorted" }, rows));
}

/** Let a reader choose two backends in the tables of differences, and see where these two differ. */
function watchPair() {
  const box = byId("pair");
  const tables = [...document.querySelectorAll("table.pairs")];
  if (!box || !tables.length) return;
  const names = [...tables[0].tHead.rows[0].cells].slice(2).map((head) => head.dataset.run);
  if (names.length < 2) return;
  box.hidden = false;
  const [first, second] = [byId("pair-first"), byId("pair-second")];
  fill(first, el("option", { value: "" }, "all"), names.map((name) => el("option", { value: name }, name)));
  fill(second, el("option", { value: "" }, "all"), names.map((name) => el("option", { value: name }, name)));
  const show = () => {
    const chosen = [first.value, second.value].filter(Boolean);
    const pair = chosen.length === 2 && chosen[0] !== chosen[1] ? chosen : names;
    for (const table of tables) {
      for (const row of table.rows) {
        [...row.cells].slice(2).forEach((cell, number) => { cell.hidden = !pair.includes(names[number]); });
        if (row.parentElement !== table.tHead) {
          const texts = [...row.cells].slice(2).filter((cell) => !cell.hidden).map((cell) => cell.textContent);
          row.hidden = pair.length === 2 && (new Set(texts).size < 2);
        }
      }
    }
    for (const row of document.querySelectorAll("table.known tbody tr")) row.hidden = !pair.includes(row.dataset.run);
  };
  first.addEventListener("change", show);
  second.addEventListener("change", show);
}
