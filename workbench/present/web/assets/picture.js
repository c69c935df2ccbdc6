// A view as a picture: every box and every line of text of it, drawn as plain SVG that any program opens; as PNG, from that SVG.

const SVG = "http://www.w3.org/2000/svg";
const MOST_PIXELS = 12000; // of a PNG's side: browsers refuse canvases that are much larger
const INKS = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Return [r, g, b, a] of any colour that CSS has, mixed ones too. */
function rgba(colour) {
  INKS.clearRect(0, 0, 1, 1);
  INKS.fillStyle = colour;
  INKS.fillRect(0, 0, 1, 1);
  return [...INKS.getImageData(0, 0, 1, 1).data];
}

/** Return a view as the text of an SVG: the whole of it on white paper, whatever the theme and however far it is scrolled. */
function svgOf(body, title) {
  body.classList.add("pvw-whole");
  try {
    const { left, top, height } = body.getBoundingClientRect();
    const width = body.scrollWidth; // a table may be wider than the sheet
    const sheet = { left: left - 12, top: top - 12, colours: new Map(), patterns: drawn("defs", {}), nodes: [] };
    sketch(body, sheet);
    const size = { width: Math.ceil(width + 24), height: Math.ceil(height + 24) };
    const paper = drawn("rect", { ...size, fill: "#ffffff" });
    const all = drawn("svg", { xmlns: SVG, ...size, viewBox: `0 0 ${size.width} ${size.height}`, role: "img" }, drawn("title", {}, title), sheet.patterns, paper, sheet.nodes);
    return { text: new XMLSerializer().serializeToString(all), ...size };
  } finally {
    body.classList.remove("pvw-whole");
  }
}

/** Return a view as a PNG of twice the size, through a canvas; the SVG is its address, so that nothing is asked for. */
async function pngOf(body, title) {
  const { text, width, height } = svgOf(body, title);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const scale = Math.min(2, MOST_PIXELS / Math.max(width, height));
  const canvas = el("canvas", { width: String(Math.round(width * scale)), height: String(Math.round(height * scale)) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function sketch(node, sheet) {
  if (node.nodeType === Node.TEXT_NODE) return sketchText(node, sheet);
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (style.display === "none" || style.visibility === "hidden" || node.matches(".pvw-hidden, select, input, script")) return;
  if (node.namespaceURI === SVG) return sketchDrawing(node, style, box, sheet);
  if (box.width && box.height) sketchBox(style, box, sheet);
  for (const child of node.childNodes) sketch(child, sheet);
}

/** A box's fill, its stripes or dots, its four edges, its outline, and the bar at its left that marks a row. */
function sketchBox(style, box, sheet) {
  const rect = (x, y, width, height, look) => sheet.nodes.push(drawn("rect", { x: near(x - sheet.left), y: near(y - sheet.top), width: near(width), height: near(height), ...look }));
  const fill = seen(style.backgroundColor, sheet);
  const pattern = patternOf(style, sheet);
  const radius = parseFloat(style.borderTopLeftRadius) || 0;
  if (fill) rect(box.left, box.top, box.width, box.height, { fill, rx: near(radius) });
  if (pattern === "line") rect(box.left + box.width / 2 - 0.5, box.top, 1, box.height, { fill: seen(style.backgroundImage.match(/rgba?\([^)]*\)/)[0], sheet) });
  else if (pattern) rect(box.left, box.top, box.width, box.height, { fill: `url(#${pattern})`, rx: near(radius) });
  const mark = style.boxShadow.match(/(rgba?\([^)]*\)) 4px 0px 0px 0px inset/);
  if (mark) rect(box.left, box.top, 4, box.height, { fill: seen(mark[1], sheet) });
  for (const [side, x, y, wide, tall] of [["Top", 0, 0, 1, 0], ["Bottom", 0, 1, 1, 0], ["Left", 0, 0, 0, 1], ["Right", 1, 0, 0, 1]]) {
    const width = parseFloat(style[`border${side}Width`]);
    const ink = width && style[`border${side}Style`] !== "none" ? seen(style[`border${side}Color`], sheet) : "";
    if (ink) rect(box.left + x * (box.width - width), box.top + y * (box.height - width), wide ? box.width : width, tall ? box.height : width, { fill: ink });
  }
  const outline = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
  if (outline) rect(box.left + outline / 2, box.top + outline / 2, box.width - outline, box.height - outline, { fill: "none", stroke: seen(style.outlineColor, sheet), "stroke-width": outline, "stroke-dasharray": style.outlineStyle === "dashed" ? "3 2" : undefined });
}

function seen(colour, sheet) {
  if (!sheet.colours.has(colour)) {
    const [r, g, b, a] = rgba(colour);
    sheet.colours.set(colour, a ? `rgb(${r},${g},${b})` : "");
  }
  return sheet.colours.get(colour);
}

/** Return the name of the pattern that a background has: stripes and dots are repeated, a single line is drawn as such. */
function patternOf(style, sheet) {
  const image = style.backgroundImage;
  const inks = image.match(/rgba?\([^)]*\)/g);
  if (image === "none" || !inks) return "";
  if (image.startsWith("linear")) return "line";
  const striped = image.startsWith("repeating");
  const name = `pattern${[...image].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 7)}`;
  if (!sheet.patterns.querySelector(`#${name}`)) {
    const [first, second] = [inks[0], inks[inks.length - 1]].map((ink) => seen(ink, sheet) || "none");
    const inside = striped ? [drawn("rect", { width: 6, height: 6, fill: second }), drawn("rect", { width: 3, height: 6, fill: first })] : drawn("circle", { cx: 3, cy: 3, r: 1, fill: first });
    sheet.patterns.append(drawn("pattern", { id: name, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: striped ? `rotate(${image.includes("-45deg") ? -45 : 45})` : undefined }, inside));
  }
  return name;
}

/** A drawing inside a view stays what it is; only its colour is written down. */
function sketchDrawing(node, style, box, sheet) {
  const copy = node.cloneNode(true);
  for (const [name, value] of Object.entries({ x: near(box.left - sheet.left), y: near(box.top - sheet.top), width: near(box.width), height: near(box.height) })) copy.setAttribute(name, value);
  for (const part of [copy, ...copy.querySelectorAll("*")]) part.removeAttribute("class");
  const colours = [...node.querySelectorAll("*")].map((part) => getComputedStyle(part));
  [...copy.querySelectorAll("*")].forEach((part, at) => {
    for (const name of ["fill", "stroke"]) part.setAttribute(name, colours[at][name] === "none" ? "none" : seen(colours[at][name], sheet) || "none");
  });
  sheet.nodes.push(copy);
}

function sketchText(node, sheet) {
  const style = getComputedStyle(node.parentElement);
  const turned = style.writingMode.startsWith("vertical");
  for (const { text, box } of linesOf(node, turned ? "left" : "top")) {
    const length = turned ? box.height : box.width;
    INKS.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = INKS.measureText(text);
    const base = ((turned ? box.width : box.height) * up) / (up + down);
    const [x, y] = turned ? [box.left + base - sheet.left, box.bottom - sheet.top] : [box.left - sheet.left, box.top + base - sheet.top];
    sheet.nodes.push(drawn("text", { x: near(x), y: near(y), fill: seen(style.color, sheet), "font-family": style.fontFamily, "font-size": style.fontSize, "font-weight": style.fontWeight,
      "font-style": style.fontStyle === "normal" ? undefined : style.fontStyle, "text-decoration": style.textDecorationLine === "line-through" ? "line-through" : undefined,
      textLength: near(length), lengthAdjust: "spacingAndGlyphs", transform: turned ? `rotate(-90 ${near(x)} ${near(y)})` : undefined }, text));
  }
}

/** Return the lines in which a text node is set, each with its box; pieces with the same ``edge`` are on one line. */
function linesOf(node, edge) {
  const lines = [];
  const range = document.createRange();
  const add = (from, text) => {
    range.setStart(node, from);
    range.setEnd(node, from + text.length);
    const boxes = [...range.getClientRects()].filter((box) => box.width && box.height);
    if (boxes.length > 1) return [...text].forEach((letter, at) => add(from + at, letter)); // a word that is broken
    if (!boxes.length) return;
    const last = lines[lines.length - 1];
    const gap = last && last.end < from ? " " : "";
    if (last && Math.abs(last.box[edge] - boxes[0][edge]) < 2) Object.assign(last, { text: last.text + gap + text, box: around(last.box, boxes[0]), end: from + text.length });
    else lines.push({ text, box: boxes[0], end: from + text.length });
  };
  for (const { 0: word, index } of node.data.matchAll(/\S+/g)) add(index, word);
  return lines;
}

function around(one, other) {
  const [left, top] = [Math.min(one.left, other.left), Math.min(one.top, other.top)];
  return new DOMRect(left, top, Math.max(one.right, other.right) - left, Math.max(one.bottom, other.bottom) - top);
}

function near(value) {
  return String(Math.round(value * 10) / 10);
}
