// A table of words: each cell says one word, has the look of that word, and is explained when it is pointed at.

function words(body, data) {
  const told = el("div", { class: "pvw-explained pvw-low", role: "status" }, data.hint);
  const differing = el("input", { type: "checkbox", onchange: draw });
  differing.checked = fromAddress(data).get("only") === "yes";
  const fragment = () => (differing.checked ? "#only=yes" : "#");
  const grid = el("div", { class: "pvw-grid", role: "region", "aria-label": data.title });
  let sorted = -1; // the column by whose ranks rows stand; -1: as they come
  const used = new Set(data.rows.flatMap((row) => row.cells.filter(Boolean).map((cell) => cell.word)));

  function draw() {
    toAddress(data, fragment());
    const shown = data.rows.filter((row) => !differing.checked || row.differs);
    if (sorted >= 0) shown.sort((a, b) => (a.cells[sorted].rank ?? Infinity) - (b.cells[sorted].rank ?? Infinity) || 0);
    const lines = [];
    let group = null;
    for (const row of shown) {
      if (row.group && row.group !== group) lines.push(el("tr", { class: "pvw-group" }, el("th", { colspan: String(data.columns.length + 1), scope: "rowgroup" }, row.group)));
      group = row.group;
      lines.push(el("tr", { class: row.differs ? "pvw-differs" : undefined }, el("th", { scope: "row", title: row.what || undefined }, row.name), row.cells.map((cell, at) => wordCell(data, row, cell, at, told))));
    }
    grid.replaceChildren(el("table", { class: `pvw-map pvw-words${data.sorts ? " pvw-sorts" : ""}` }, el("caption", { class: "pvw-hidden" }, data.title),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, data.corner), data.columns.map(heading))), el("tbody", {}, lines)));
    const first = grid.querySelector(".pvw-word");
    if (first) first.tabIndex = 0;
  }

  function heading(name, at) {
    if (!data.sorts) return el("th", { scope: "col" }, name);
    const turn = () => { sorted = sorted === at ? -1 : at; draw(); grid.querySelectorAll("thead button")[at].focus(); };
    return el("th", { scope: "col", "aria-sort": sorted === at ? "ascending" : undefined }, el("button", { type: "button", class: "pvw-sort", title: data.explained[at], onclick: turn }, el("span", {}, name)));
  }

  grid.addEventListener("keydown", (event) => moveInGrid(event, grid, ".pvw-word"));
  body.append(el("h3", {}, data.title), el("p", { class: "pvw-spoken" }, data.answer), ...(data.notes || []).map((note) => el("p", {}, note)),
    data.only ? el("div", { class: "pvw-bar" }, el("label", {}, differing, ` ${data.only}`), el("button", { type: "button", onclick: () => { differing.checked = false; draw(); } }, "Reset")) : "",
    el("p", { class: "pvw-legend" }, Object.entries(data.meanings).filter(([word]) => data.sorts || used.has(word)).map(([word, meaning]) => el("span", {}, el("i", { class: `pvw-word pvw-tone-${data.tones[word]}` }, word), ` ${meaning}`))),
    grid, told, takeAway(body, "this table", () => fileName(data.file), { "mail text": () => data.text, "command line": fixed(data.command), Python: fixed(data.python), JSON: () => JSON.stringify({ view: data.file, only: differing.checked }), "link to this": () => linkTo(data, fragment()) }, () => wordsCsv(data)));
  draw();
}

function wordCell(data, row, cell, at, told) {
  if (!cell) return el("td", {}, "");
  const explain = () => told.replaceChildren(el("p", {}, el("strong", {}, `${row.name}, ${data.columns[at]}: ${cell.word}. `), cell.why || ""), row.what ? el("p", {}, row.what) : "");
  return el("td", {}, el("button", { type: "button", tabindex: "-1", class: `pvw-word pvw-tone-${cell.tone || data.tones[cell.word]}`, "aria-label": `${row.name}, ${data.columns[at]}: ${cell.word}`, onfocus: explain, onmouseenter: explain, onclick: explain }, cell.word));
}

function wordsCsv(data) {
  return csvOf([[data.corner, ...data.columns], ...data.rows.map((row) => [row.name, ...row.cells.map((cell) => (cell ? cell.word : ""))])]);
}
