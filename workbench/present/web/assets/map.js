// The failure map: a design's verdict on every property under every event; a failing cell opens its trace.

/** What is chosen to see every design, one row below the other. */
const ALL = "all designs";
const MARKS = { HOLDS: "", FAILS: "F", BOUNDED: "?", "BROKE OFF": "X", "NOT EXERCISED": "" };

function failureMap(body, data) {
  const chosen = fromFragment(data);
  const grid = el("div", { class: "pvw-grid", role: "region", "aria-label": "failure map" });
  const told = el("div", { class: "pvw-explained", role: "status" }, "Point at a cell, or go from cell to cell with the arrow keys: it is explained here.");
  const counts = el("p", { class: "pvw-about" });
  const opened = el("div", { class: "pvw-opened" });
  let cells = new Map();

  const design = el("select", { onchange: () => { chosen.design = design.value; draw(); } },
    [...data.designs.map((one) => one.label), ...(data.designs.length > 1 ? [ALL] : [])].map((label) => el("option", { value: label }, label)));
  const failing = el("input", { type: "checkbox", onchange: () => { chosen.failing = failing.checked; draw(); } });
  const groups = data.groups.map((group) => el("label", {}, el("input", { type: "checkbox", checked: !chosen.without.includes(group),
    onchange: (event) => { chosen.without = chosen.without.filter((one) => one !== group).concat(event.target.checked ? [] : [group]); draw(); } }), ` ${group}`));
  const reset = el("button", { type: "button", onclick: () => { Object.assign(chosen, fresh(data)); groups.forEach((label) => { label.firstChild.checked = true; }); draw(); } }, "Reset");

  function draw() {
    design.value = chosen.design;
    failing.checked = chosen.failing;
    const designs = data.designs.filter((one) => chosen.design === ALL || one.label === chosen.design);
    const notable = (row, column) => designs.some((one) => isNotable(one.cells[row][column]));
    const rows = data.events.map((event, at) => ({ event, at })).filter(({ event, at }) => !chosen.without.includes(event.group) && (!chosen.failing || data.properties.some((_, column) => notable(at, column))));
    const columns = data.properties.map((property, at) => ({ property, at })).filter(({ at }) => !chosen.failing || rows.some((row) => notable(row.at, at)));
    cells = new Map();
    grid.replaceChildren(mapTable(designs, rows, columns, cells, explain, open));
    say(counts, designs.map((one) => `${one.about}${one.price ? ` Price at 64 vCPUs, all features (simulated): ${one.price}.` : ""}`).join(" "));
    const first = cells.get(`${chosen.event} ${chosen.property}`) || cells.values().next().value;
    if (first) first.tabIndex = 0;
    toAddress(data, fragment(data, chosen));
  }

  function explain(event, property, cell, one) {
    told.replaceChildren(...explanation(event, property, cell, one));
  }

  function open(event, property, cell, one) {
    Object.assign(chosen, { event: event.name, property: property.name });
    toAddress(data, fragment(data, chosen));
    explain(event, property, cell, one);
    opened.replaceChildren();
    if (cell.trace === undefined) return;
    const box = el("div", { class: "pvw-body" });
    opened.append(box);
    stepper(box, unpacked(data, data.traces[cell.trace]), () => linkTo(data, fragment(data, chosen)));
    box.scrollIntoView({ block: "nearest" });
  }

  grid.addEventListener("keydown", (event) => moveInGrid(event, grid));
  const copies = { "mail text": () => data.text, "command line": fixed(data.command), Python: fixed(data.python),
    JSON: () => JSON.stringify({ ...data.asked, shown: chosen }), "link to this": () => linkTo(data, fragment(data, chosen)) };
  body.append(el("h3", {}, data.title),
    el("div", { class: "pvw-bar", role: "group", "aria-label": "what is shown" }, el("label", {}, "design ", design), el("label", {}, failing, " only what fails"), reset),
    el("details", { class: "pvw-take" }, el("summary", {}, "Groups of events"), el("div", {}, groups)),
    counts, legend(data), grid, told, opened,
    takeAway(body, "this map", () => fileName("failures", chosen.design), copies, () => mapCsv(data)));
  draw();
  const wanted = cells.get(`${chosen.event} ${chosen.property}`);
  if (wanted) wanted.click();
}

function isNotable(cell) {
  return cell !== null && cell !== undefined && cell.verdict !== "HOLDS" && cell.verdict !== "NOT EXERCISED";
}

function fresh(data) {
  return { design: data.designs[0].label, failing: false, without: [], event: "", property: "" };
}

function fromFragment(data) {
  const chosen = fresh(data);
  for (const [name, value] of fromAddress(data)) {
    if (name === "without") chosen.without = value.split("|").filter((group) => data.groups.includes(group));
    else if (name === "failing") chosen.failing = value === "yes";
    else if (name === "design" && (value === ALL || data.designs.some((one) => one.label === value))) chosen.design = value;
    else if (name === "event" || name === "property") chosen[name] = value;
  }
  return chosen;
}

function fragment(data, chosen) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(chosen)) {
    if (value && String(value) !== String(fresh(data)[name])) said.set(name, value === true ? "yes" : Array.isArray(value) ? value.join("|") : value);
  }
  return `#${said}`;
}

function mapTable(designs, rows, columns, cells, explain, open) {
  const heads = columns.map(({ property }) => el("th", { scope: "col", title: property.what }, el("span", {}, property.title)));
  const lines = [];
  let group = null;
  for (const { event, at } of rows) {
    if (event.group !== group) lines.push(el("tr", { class: "pvw-group" }, el("th", { colspan: String(columns.length + 1), scope: "rowgroup" }, event.group)));
    group = event.group;
    designs.forEach((one, number) => {
      const found = columns.map(({ property, at: column }) => mapCell(event, property, one.cells[at][column], one, cells, explain, open));
      const design = designs.length > 1 ? el("small", {}, `${number ? "" : " "}${one.label}`) : undefined;
      lines.push(el("tr", { class: number ? "pvw-further" : undefined }, el("th", { scope: "row", title: event.what }, number ? "" : event.name, design), found));
    });
  }
  return el("table", { class: "pvw-map" }, el("caption", { class: "pvw-hidden" }, `${designs.map((one) => one.label).join(", ")}: events by properties`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "event"), heads)), el("tbody", {}, lines));
}

function mapCell(event, property, cell, one, cells, explain, open) {
  if (!cell) return el("td", {});
  const shown = cell.verdict === "FAILS" ? String(cell.steps || "F") : MARKS[cell.verdict];
  const changed = cell.before !== undefined ? " pvw-was" : "";
  const button = el("button", { type: "button", tabindex: "-1", class: `pvw-cell pvw-${cell.verdict.toLowerCase().replace(" ", "-")}${changed}`,
    "aria-label": `${event.name}, ${property.title}: ${cell.verdict}`, "data-design": one.label,
    onfocus: () => explain(event, property, cell, one), onmouseenter: () => explain(event, property, cell, one), onclick: () => open(event, property, cell, one) }, shown);
  const name = `${event.name} ${property.name}`;
  if (!cells.has(name) || cell.trace !== undefined) cells.set(name, button);
  return el("td", {}, button);
}

const SENTENCES = {
  HOLDS: "holds in every state.", FAILS: "fails.", BOUNDED: "was not seen to fail, but a limit or the user stopped the search.",
  "BROKE OFF": "is not known: a program failed.", "NOT EXERCISED": "was not exercised: what it is about came about in no state.",
};

function explanation(event, property, cell, one) {
  const found = [el("p", {}, `${one.label}: `, el("strong", {}, property.title), ` ${SENTENCES[cell.verdict]} `, cell.trace !== undefined ? `Shortest trace: ${cell.steps} steps (${cell.size}).` : undefined,
    cell.before !== undefined ? ` Without the mitigations: ${cell.before}.` : undefined)];
  if (cell.by && cell.by.length) found.push(el("p", {}, `By: ${cell.by.join("; ")}.`));
  if (cell.note) found.push(el("p", {}, cell.note));
  found.push(el("p", {}, el("em", {}, event.name), `: ${event.what}`), el("p", {}, el("em", {}, property.title), `: ${property.what} ${property.why}`));
  if (cell.trace !== undefined) found.push(el("p", { class: "pvw-about" }, "Enter or a click opens the trace below."));
  return found;
}

function legend(data) {
  const used = new Set(data.designs.flatMap((one) => one.cells.flat().filter(Boolean).map((cell) => cell.verdict)));
  const marks = Object.keys(MARKS).filter((verdict) => used.has(verdict)).map((verdict) => el("span", {}, el("i", { class: `pvw-cell pvw-${verdict.toLowerCase().replace(" ", "-")}` }, verdict === "FAILS" ? "7" : MARKS[verdict]),
    ` ${{ HOLDS: "holds", FAILS: "fails, in how many steps", BOUNDED: "search was stopped", "BROKE OFF": "a program failed", "NOT EXERCISED": "not exercised" }[verdict]}`));
  return el("p", { class: "pvw-legend" }, marks);
}

/** A trace as it is embedded: texts that several traces share are in one list. */
function unpacked(data, trace) {
  const said = (at) => data.words[at];
  return { ...data.frame, ...trace, title: said(trace.title), about: said(trace.about), file: said(trace.file), lanes: trace.lanes.map(said), sentences: trace.sentences.map(said), command: said(trace.command), python: said(trace.python), asked: JSON.parse(said(trace.asked)),
    failure: data.properties[trace.failure],
    items: trace.items.map(([group, of, name, start]) => ({ group: said(group), of: said(of), name: said(name), start: said(start) })),
    steps: trace.steps.map(([lane, side, text, goal, whose, seen, changes]) => ({ lane, side: said(side), text: said(text), goal: goal < 0 ? undefined : goal, whose: whose < 0 ? undefined : said(whose), seen: seen.length ? seen.map(said) : undefined, changes: changes.map(([item, value]) => [item, said(value)]) })),
  };
}

function mapCsv(data) {
  const lines = [["protocol", "event", "property", "verdict", "steps", "size"]];
  for (const one of data.designs) {
    data.events.forEach((event, row) => data.properties.forEach((property, column) => {
      const cell = one.cells[row][column];
      if (cell) lines.push([one.label, event.name, property.name, cell.verdict, cell.steps || "", cell.size || ""]);
    }));
  }
  return csvOf(lines);
}
