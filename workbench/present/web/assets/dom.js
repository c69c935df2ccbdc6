// What every view uses. Text becomes text nodes only, so that no name from a user's file is ever taken for markup.

/** Return an element with attributes; a function is a listener ("onclick"), undefined is left out. */
function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an element of a drawing. */
function drawn(tag, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return node;
}

/** Set the text of a node if it differs: what does not change is not laid out again. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Move a scrolled box, and nothing around it, so that a row inside is visible. */
function reveal(box, row, head = 0) {
  const top = row.offsetTop - head;
  const bottom = row.offsetTop + row.offsetHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}

/** Copy a text, also where the page may not use the clipboard directly. Returns whether it was copied. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = el("textarea", { style: "position:fixed;opacity:0" });
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}

/** Offer a text or a blob as a file. */
function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Return a closed list of buttons that copy or save what a view shows: {label: () => text} and {label: [name, ...]}. */
function takeAway(copies, files) {
  const told = el("span", { role: "status", class: "pvw-told" });
  const buttons = Object.entries(copies).map(([label, text]) =>
    el("button", { type: "button", onclick: async () => say(told, (await copied(text())) ? `copied ${label}` : "the browser refused to copy") }, `copy ${label}`),
  );
  const saves = Object.entries(files || {}).map(([label, make]) =>
    el("button", { type: "button", onclick: () => { save(...make()); say(told, `saved ${label}`); } }, `save ${label}`),
  );
  return el("details", { class: "pvw-take" }, el("summary", {}, "Copy or save"), el("div", {}, buttons, saves, told));
}

/** Notebook programs take plain keys for themselves, even from a slider: keep them, but let shortcuts and Tab through. */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && event.key !== "Tab" && event.key !== "Escape") event.stopPropagation();
  });
}

/** Go from one cell of a table to the next by arrow keys; the cells are buttons of one class. */
function moveInGrid(event, grid, cells = ".pvw-cell") {
  const button = event.target.closest(cells);
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -999], End: [0, 999] }[event.key];
  if (!button || !by) return;
  event.preventDefault();
  const lines = [...grid.querySelectorAll("tbody tr:not(.pvw-group)")];
  const row = lines.indexOf(button.closest("tr")) + by[0];
  const line = lines[Math.min(Math.max(row, 0), lines.length - 1)];
  const column = Math.min(Math.max(button.closest("td").cellIndex + by[1], 1), line.cells.length - 1);
  const next = line.cells[column].querySelector(cells);
  if (!next) return;
  button.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** Mount a view at each root that is not mounted yet; the text that stood there is for places without scripts. */
function mount(root) {
  if (root.dataset.pvwMounted) return;
  root.dataset.pvwMounted = "yes";
  const data = JSON.parse(root.querySelector("script.pvw-data").textContent);
  const body = el("div", { class: "pvw-body" });
  root.append(body);
  VIEWS[root.dataset.pvw](body, data); // VIEWS: the views that this page has, by name
  keepKeys(body);
  root.querySelector("pre.pvw-text").hidden = true;
}
