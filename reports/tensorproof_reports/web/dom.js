// Elements made of data. Text only ever becomes text: nothing here parses markup.

/** The element with an id, or null. */
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text, null and false are left out. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : String(value));
  }
  add(made, children);
  return made;
}

/** Append children, however nested. */
function add(parent, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

/** Put children in the place of all that an element has. */
function fill(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
}

/** Draw a part of the page once the reader comes near it, or prints. */
function whenNear(place, draw) {
  const begin = () => {
    watcher.disconnect();
    removeEventListener("beforeprint", begin);
    draw();
  };
  const watcher = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) begin(); }, { rootMargin: "50%" });
  watcher.observe(place);
  addEventListener("beforeprint", begin);
}

/** A button that copies what `text()` gives, and says so. */
function copyButton(label, text) {
  const button = el("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    const done = await copied(text());
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}

/** Put text on the clipboard; where that is not allowed, select it for the reader to copy. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "copied", "aria-label": "Text to copy", readonly: true }, text);
    document.body.append(area);
    area.select();
    area.addEventListener("blur", () => area.remove());
    return false;
  }
}

/** A block of code with its button. */
function codeBlock(text, label) {
  return el("div", { class: "code" }, el("pre", { tabindex: 0, "aria-label": label }, text), copyButton(`Copy ${label}`, () => text));
}

/** A table of a caption, heads and rows of cells; a cell may be text, an element, or {text, class, title}. */
function tableOf(caption, heads, rows) {
  const cell = (item, first) => {
    const told = item !== null && typeof item === "object" && !(item instanceof Node) ? item : { text: item };
    return el(first ? "th" : "td", { scope: first ? "row" : null, class: told.class, title: told.title }, told.text ?? "");
  };
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((item, index) => cell(item, index === 0)))))));
}

/** A number to three digits; a dash where there is none. */
function short(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value !== "number") return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}
