// Queries in the spirit of wpt.fyi: words that a check must fit, all of them; `or` stands between such groups of words.

const ALIASES = {
  pass: ["passed"], fail: ["failed", "known_failure"], known: ["known_failure"], wrong: WRONG, crash: ["crashed"],
  timeout: ["timed_out"], memory: ["out_of_memory"], fallback: ["fell_back"], meaningless: ["not_meaningful"],
  missing: ["not_run"],
};
const COLUMNS = { path: "operation", op: "operation", operation: "operation", sample: "sample", dtype: "dtype", mode: "mode", check: "check" };

/** The statuses that a word names, or null. */
function statusesOf(name) {
  const plain = name.replaceAll("-", "_");
  if (ALIASES[plain]) return ALIASES[plain];
  return SEVERITY.includes(plain) ? [plain] : null;
}

/** For each word of the page whether it contains a text. */
const containing = (data, text) => Uint8Array.from(data.words, (item) => item.toLowerCase().includes(text));

/** For each word of the page whether it is one of some statuses. */
const among = (data, statuses) => Uint8Array.from(data.words, (item) => statuses.includes(item));

/** For each run and cause whether its name contains a text. */
const causesNamed = (data, text) => data.runs.map((run) => run.causes.map(([name]) => name.toLowerCase().includes(text)));

/** A test of rows made of one word of a query; throws an Error that says what to type instead. */
function testOf(data, term) {
  const rows = data.rows;
  const text = term.toLowerCase();
  const compared = /^(bars|rms)(>=|<=|>|<|=)(.+)$/.exec(text);
  if (compared) return numberTest(data, compared);
  const colon = text.indexOf(":");
  if (colon < 0) {
    const hit = containing(data, text);
    const causes = causesNamed(data, text);
    return (row) => hit[rows.operation[row]] || hit[rows.sample[row]] || rows.cause[row].some((one) => causes[rows.run[row]][one]);
  }
  const name = text.slice(0, colon);
  const value = text.slice(colon + 1);
  if (COLUMNS[name]) {
    const hit = containing(data, value);
    const column = rows[COLUMNS[name]];
    return (row) => hit[column[row]];
  }
  if (name === "cause") {
    const causes = causesNamed(data, value);
    return (row) => rows.cause[row].some((one) => causes[rows.run[row]][one]);
  }
  if (name === "group") {
    const groups = new Map(data.operations.map(([operation, group]) => [data.numbers.get(operation), group.includes(value)]));
    return (row) => groups.get(rows.operation[row]);
  }
  if (name === "is") return isTest(data, value);
  if (name === "status") {
    const hit = among(data, namedStatuses(value));
    return (row) => hit[rows.status[row]];
  }
  return backendTest(data, name, namedStatuses(value));
}

/** The statuses that a word names; throws where it names none. */
function namedStatuses(value) {
  const statuses = statusesOf(value);
  if (!statuses) throw new Error(`"${value}" is no status; try ${Object.keys(ALIASES).join(", ")} or ${SEVERITY.join(", ")}`);
  return statuses;
}

function numberTest(data, [, name, sign, given]) {
  const limit = Number(given);
  if (Number.isNaN(limit)) throw new Error(`"${given}" is no number`);
  const column = data.rows[name];
  const compare = {
    ">": (a) => a > limit, "<": (a) => a < limit, ">=": (a) => a >= limit, "<=": (a) => a <= limit, "=": (a) => a === limit,
  }[sign];
  // What is no number, as NaN, is beyond every limit.
  return (row) => column[row] !== null && (typeof column[row] === "number" ? compare(column[row]) : sign.startsWith(">"));
}

function isTest(data, value) {
  if (FLAGS[value]) return (row) => data.rows.flags[row] & FLAGS[value];
  if (value === "different") {
    const different = differing(data);
    const cases = casesOf(data);
    return (row) => different[cases[row]];
  }
  if (value === "wrong") return testOf(data, "status:wrong");
  throw new Error(`"is:${value}" is unknown; try is:different, is:wrong, ${Object.keys(FLAGS).map((name) => `is:${name}`).join(", ")}`);
}

/** For each case whether backends do not agree on it. */
function differing(data) {
  const cases = casesOf(data);
  const runs = data.runs.length;
  const gravest = new Uint8Array(data.caseCount * runs).fill(255);
  for (let row = 0; row < data.count; row += 1) {
    const place = cases[row] * runs + data.rows.run[row];
    gravest[place] = Math.min(gravest[place], data.rank[data.rows.status[row]]);
  }
  return Uint8Array.from({ length: data.caseCount }, (_, one) => {
    const seen = new Set(gravest.subarray(one * runs, (one + 1) * runs));
    seen.delete(255);
    return seen.size > 1;
  });
}

/** Rows of the cases in which a backend has a status. */
function backendTest(data, name, statuses) {
  const runs = data.runs.map((run) => run.backend.toLowerCase() === name || run.key.toLowerCase() === name);
  if (!runs.includes(true)) {
    const names = [...new Set(data.runs.map((run) => run.key))].join(", ");
    throw new Error(`"${name}:" is unknown; backends here are ${names}; other words: ${Object.keys(COLUMNS).join(", ")}, cause, group, is, status, bars, rms`);
  }
  const hit = among(data, statuses);
  const cases = casesOf(data);
  const having = new Uint8Array(data.caseCount);
  for (let row = 0; row < data.count; row += 1) {
    if (runs[data.rows.run[row]] && hit[data.rows.status[row]]) having[cases[row]] = 1;
  }
  return (row) => having[cases[row]];
}

/** For each row whether it fits all of some words. */
function fittingAll(data, terms) {
  const mask = new Uint8Array(data.count).fill(1);
  for (const given of terms) {
    const negated = given.length > 1 && "-!".includes(given[0]);
    const test = testOf(data, negated ? given.slice(1) : given);
    for (let row = 0; row < data.count; row += 1) {
      if (mask[row] && Boolean(test(row)) === negated) mask[row] = 0;
    }
  }
  return mask;
}

/** For each row whether it fits a query; throws an Error that says what to type instead. */
function matching(data, query) {
  const parts = [[]];
  for (const given of query.trim().split(/\s+/).filter(Boolean)) {
    if (given.toLowerCase() === "or") parts.push([]);
    else parts.at(-1).push(given);
  }
  if (parts.length > 1 && parts.some((terms) => !terms.length)) throw new Error("\"or\" needs words on both sides, as in torch:fail or jax:fail");
  const [mask, ...others] = parts.map((terms) => fittingAll(data, terms));
  for (const other of others) for (let row = 0; row < data.count; row += 1) mask[row] |= other[row];
  return mask;
}
