// What the address says, and what is shown for it: #q=…&view=…&order=…&case=… or #operation=…, or the id of an element.

const state = { q: "", view: "mode", order: "group", shown: LISTED };

/** The names and values in the address; null where it names an element. */
function addressed() {
  const text = location.hash.slice(1);
  return text.includes("=") ? new URLSearchParams(text) : null;
}

/** An address that keeps the query and the choice of columns. */
function addressOf(more = {}) {
  const parts = new URLSearchParams();
  if (state.q) parts.set("q", state.q);
  if (state.view !== "mode") parts.set("view", state.view);
  if (state.order !== "group") parts.set("order", state.order);
  for (const [name, value] of Object.entries(more)) parts.set(name, value);
  return `#${parts}`;
}

/** Show a section that was chosen, and move the reader there. */
function showSection(id, heading) {
  byId(id).hidden = false;
  reveal(byId(heading));
  byId(heading).focus({ preventScroll: true });
}

/** Scroll to an element, with all that holds it opened. */
function reveal(element) {
  for (let outer = element; outer; outer = outer.parentElement) if (outer instanceof HTMLDetailsElement) outer.open = true;
  element.scrollIntoView({ block: "start" });
}

/** Draw what depends on the query. */
function drawQuery(data) {
  const said = byId("query-said");
  let mask;
  try {
    mask = matching(data, state.q);
  } catch (error) {
    said.textContent = error.message;
    byId("query").setAttribute("aria-invalid", "true");
    return;
  }
  byId("query").removeAttribute("aria-invalid");
  const found = mask.reduce((sum, one) => sum + one, 0);
  const lines = drawMatrix(data, mask, state);
  said.textContent = state.q ? `${found} of ${data.count} checks in ${lines} operations` : "";
  drawList(data, mask, state.shown);
}

/** Do what the address says. */
async function follow(data) {
  const parts = addressed();
  if (!parts) {
    const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    if (target) reveal(target);
    return;
  }
  const before = [state.q, state.view, state.order].join("\n");
  if (parts.has("q")) state.q = parts.get("q");
  if (["mode", "dtype"].includes(parts.get("view"))) state.view = parts.get("view");
  if (["group", "worst"].includes(parts.get("order"))) state.order = parts.get("order");
  if (before !== [state.q, state.view, state.order].join("\n")) {
    byId("query").value = state.q;
    byId("view").value = state.view;
    byId("order").value = state.order;
    state.shown = LISTED;
    drawQuery(data);
  }
  if (parts.has("case")) {
    const row = rowOf(data, parts.get("case"));
    if (row < 0) {
      byId("case").textContent = "Check";
      fill(byId("case-body"), el("p", {}, `This page has no check ${parts.get("case")}.`));
    } else {
      await drawCase(data, row);
    }
    showSection("case-section", "case");
  } else if (parts.has("operation")) {
    const cell = parts.has("run") ? { run: data.runs.findIndex((run) => run.key === parts.get("run")), view: parts.get("view") === "dtype" ? "dtype" : "mode", value: parts.get("value"), part: parts.get("part") } : null;
    drawOperation(data, parts.get("operation"), cell && cell.run >= 0 ? cell : null);
    showSection("operation-section", "operation");
  } else if (parts.has("at")) {
    const target = byId(parts.get("at"));
    if (target) reveal(target);
  }
}

/** Open an operation, or one of its cells. */
function openCell(data, operation, column) {
  if (column === null) {
    location.hash = addressOf({ operation });
    return;
  }
  const { run, value } = columnsOf(data, state.view)[Math.floor(column / 2)];
  location.hash = addressOf({ operation, run: data.runs[run].key, value: data.words[value], part: PARTS[column % 2] });
}

/** Wire the query box. */
function watchQuery(data) {
  const submit = () => {
    state.q = byId("query").value.trim();
    state.view = byId("view").value;
    state.order = byId("order").value;
    state.shown = LISTED;
    history.replaceState(null, "", addressOf());  // before the drawing: it makes the browser lay out what was drawn
    drawQuery(data);
  };
  let waiting = 0;
  byId("query-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("query").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(submit, 200);
  });
  byId("view").addEventListener("change", submit);
  byId("order").addEventListener("change", submit);
  byId("query-clear").addEventListener("click", () => {
    byId("query").value = "";
    submit();
    byId("query").focus();
  });
  byId("cases-more").addEventListener("click", () => {
    state.shown += 5 * LISTED;
    drawList(data, matching(data, state.q), state.shown);
  });
}

/** A button beside each block of code that the page came with. */
function addCopyButtons() {
  for (const block of document.querySelectorAll("details.cause pre")) {
    block.after(copyButton(`Copy ${block.dataset.copied || "command"}`, () => block.textContent));
  }
  for (const link of document.querySelectorAll("details.cause .actions a")) {
    link.after(" ", copyButton("Copy link", () => link.href));
  }
}

/** Open what is folded before it is printed: paper has no clicks. */
function watchPrint() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.cause:not([open]), details.known-causes:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
}

async function begin() {
  for (const table of document.querySelectorAll("table.sortable, table.timings")) makeSortable(table);
  addCopyButtons();
  watchPair();
  watchPrint();
  await watchCharts();
  await watchHistory();
  const data = await loaded();
  if (data) {
    for (const part of document.querySelectorAll("li.scripted:not(#training-link), span.scripted, #query-form, #cases-section")) part.hidden = false;
    watchQuery(data);
    watchMatrix((operation, column) => openCell(data, operation, column));
    watchTraining(data);
    drawQuery(data);
  }
  const go = () => (data ? follow(data) : undefined);
  addEventListener("hashchange", go);
  await go();
  document.documentElement.dataset.ready = "true";
}

begin();
