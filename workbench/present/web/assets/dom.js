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

/** Offer a blob as a file. */
function save(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Return a name that every system takes for a file: letters, digits and a few signs, not too many. */
function fileName(...parts) {
  return parts.filter(Boolean).join("-").replace(/[^\p{L}\p{N}+_.-]+/gu, "-").slice(0, 100);
}

/** Return a closed list of buttons for ``what``: copy each of {label: () => text}; save the view ``body`` as PNG and SVG, its table as CSV. */
function takeAway(body, what, name, copies, csv) {
  const told = el("span", { role: "status", class: "pvw-told" });
  const button = (text, act) => el("button", { type: "button", onclick: async () => say(told, await act()) }, text);
  const copy = Object.entries(copies).filter(([, text]) => text).map(([label, text]) => button(`copy ${label}`, async () => ((await copied(text())) ? `copied ${label}` : "the browser refused to copy")));
  const forms = { PNG: () => pngOf(body, name()), SVG: () => new Blob([svgOf(body, name()).text], { type: "image/svg+xml" }), CSV: () => new Blob([csv()], { type: "text/csv" }) };
  const keep = Object.entries(forms).map(([form, make]) => button(`save ${form}`, async () => {
    const file = `${name()}.${form.toLowerCase()}`;
    save(file, await make());
    return `saved ${file}`;
  }));
  return el("details", { class: "pvw-take" }, el("summary", {}, `Copy or save ${what}`), el("div", {}, copy, keep, told));
}

/** Return lines of values as CSV (RFC 4180, with the line ends of Unix): every text is quoted. */
function csvOf(lines) {
  return `${lines.map((line) => line.map((value) => (typeof value === "number" ? value : `"${String(value ?? "").replaceAll('"', '""')}"`)).join(",")).join("\n")}\n`;
}

/** Return what gives a text, if there is one. */
function fixed(text) {
  return text ? () => text : undefined;
}

/** Return a word of a command line as a shell reads it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Settings travel in the address of a page of its own; a notebook's address is not ours. */
function fromAddress(data) {
  return new URLSearchParams(data.page ? location.hash.slice(1) : "");
}

function toAddress(data, fragment) {
  if (data.page) history.replaceState(null, "", fragment);
}

function linkTo(data, fragment) {
  return (data.page ? location.href.split("#")[0] : "page.html") + fragment;
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
  const place = button.closest("td, th");
  const column = Math.min(Math.max(place.cellIndex + by[1], place.tagName === "TH" ? 0 : 1), line.cells.length - 1);
  const next = line.cells[column].querySelector(cells);
  if (!next) return; // the name of a row, or a place without a cell
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
