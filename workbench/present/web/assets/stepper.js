// A trace, step by step: who acts, what the step says, and what it changes in memory, host and guest.

function stepper(body, data, link) {
  const last = data.steps.length;
  const states = statesOf(data);
  const changing = data.steps.map((step, at) => (step.changes.length || step.seen ? at + 1 : 0)).filter(Boolean);
  const rows = data.steps.map((step, at) => stepRow(data, step, at + 1, () => show(at + 1)));
  const lanes = el("table", { class: "pvw-steps" }, el("caption", { class: "pvw-hidden" }, `Steps: ${data.title}`), laneHead(data), el("tbody", {}, rows));
  const list = el("div", { class: "pvw-list", tabindex: "0", role: "region", "aria-label": "steps" }, lanes);
  const panel = statePanel(data);
  const slider = el("input", { type: "range", min: "0", max: String(last), step: "1", "aria-label": "step", oninput: () => show(Number(slider.value)) });
  const count = el("span", { class: "pvw-count" });
  const spoken = el("p", { class: "pvw-spoken", role: "status" });
  let now = -1;
  let clock = null;
  let written = null;

  function fragmentOf(step) {
    const said = fromAddress(data);
    said.set(data.key || "step", String(step));
    return `#${said}`;
  }

  function show(step) {
    const at = Math.min(Math.max(step, 0), last);
    if (at === now) return;
    const before = rows[now - 1];
    const row = rows[at - 1];
    if (before) {
      before.classList.remove("pvw-now");
      before.removeAttribute("aria-current");
    }
    if (row) {
      row.classList.add("pvw-now");
      row.setAttribute("aria-current", "step");
      reveal(list, row, lanes.tHead.offsetHeight);
    } else list.scrollTop = 0;
    now = at;
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", `step ${at} of ${last}`);
    say(count, `${at} of ${last}`);
    say(spoken, spokenStep(data, at));
    panel.show(states[at], at ? states[at - 1] : states[at]);
    clearTimeout(written); // while a key is held the address waits: browsers limit how often it may change
    written = setTimeout(() => toAddress(data, fragmentOf(now)), 150);
    body.dispatchEvent(new CustomEvent("pvw-step", { detail: at }));
  }

  function nextChange(from, towards) {
    const found = towards > 0 ? changing.find((at) => at > from) : changing.filter((at) => at < from).pop();
    return found === undefined ? (towards > 0 ? last : 0) : found;
  }

  function stop() {
    clearInterval(clock);
    clock = null;
    say(play, "Play");
  }

  function playOrStop() {
    if (clock) return stop();
    if (now === last) show(0);
    say(play, "Stop");
    clock = setInterval(() => (now < last && play.isConnected ? show(now + 1) : stop()), 700);
  }

  const button = (label, hint, action, name) => el("button", { type: "button", title: `key: ${hint}`, "aria-label": name, onclick: action }, label);
  const play = button("Play", "space", playOrStop);
  const bar = el("div", { class: "pvw-bar", role: "group", "aria-label": "which step" },
    button("|<", "Home", () => show(0), "first step"), button("<", "left", () => show(now - 1), "step back"), play,
    button(">", "right", () => show(now + 1), "step forward"), button("Next change", "n", () => show(nextChange(now, 1))),
    data.since ? button("Where it breaks", "b", () => show(data.since)) : undefined, slider, count,
    button("Reset", "Home", () => { stop(); show(0); }));
  body.append(el("h3", {}, data.title), el("p", { class: "pvw-about" }, data.about), bar, spoken,
    el("div", { class: "pvw-two" }, list, panel.node), conclusion(data, () => show(data.since)),
    takeAway(body, "this trace", () => fileName(data.file), copiesOf(data, () => now, link || (() => linkTo(data, fragmentOf(now)))), () => stepsCsv(data)));

  const keys = { ArrowRight: () => show(now + 1), ArrowDown: () => show(now + 1), ArrowLeft: () => show(now - 1), ArrowUp: () => show(now - 1),
    Home: () => show(0), End: () => show(last), n: () => show(nextChange(now, 1)), p: () => show(nextChange(now, -1)), b: () => data.since && show(data.since), " ": playOrStop };
  body.addEventListener("keydown", (event) => {
    const own = event.target.closest("button, summary, input");
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || (own && event.key === " ") ) return;
    event.preventDefault();
    action();
  });
  show(Number(fromAddress(data).get(data.key || "step")) || 0);
  return { show };
}

/** Two traces side by side; a step of one moves the other only if they are stepped together. */
function pair(body, data) {
  const together = el("input", { type: "checkbox" });
  const boxes = data.traces.map(() => el("div", { class: "pvw-body" }));
  body.append(el("h3", {}, data.title), el("label", { class: "pvw-about" }, together, " step both together"), el("div", { class: "pvw-pair" }, boxes));
  const views = data.traces.map((trace, at) => stepper(boxes[at], { ...trace, page: data.page, key: at ? "other" : "step" }));
  boxes.forEach((box, at) => box.addEventListener("pvw-step", (event) => together.checked && views[1 - at].show(event.detail)));
}

/** The texts of all items after each step; those of step 0 are there at the beginning. */
function statesOf(data) {
  const states = [data.items.map((item) => item.start)];
  for (const step of data.steps) {
    const next = states[states.length - 1].slice();
    for (const [item, text] of step.changes) next[item] = text;
    states.push(next);
  }
  return states;
}

function laneHead(data) {
  const heads = data.lanes.map((lane) => el("span", {}, lane));
  return el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "step"), el("th", { scope: "col" }, el("div", { class: "pvw-lanes", style: laneWidth(data) }, heads)), el("th", { scope: "col" }, "what it does")));
}

function laneWidth(data) {
  return `--lanes:${data.lanes.length}`;
}

function stepRow(data, step, number, choose) {
  const lanes = data.lanes.map((name, at) => el("span", {}, at === step.lane ? markOf(step.side) : undefined));
  const breaks = number === data.since;
  const arrow = step.goal === undefined || step.goal === null ? undefined : arrowOf(step);
  return el("tr", { class: breaks ? "pvw-breaks" : undefined, onclick: choose },
    el("th", { scope: "row" }, String(number), breaks ? el("span", { class: "pvw-bad", title: "since this step the property is violated" }, "!") : undefined),
    el("td", { "aria-label": data.lanes[step.lane] }, el("div", { class: "pvw-lanes", style: laneWidth(data) }, lanes, arrow)),
    el("td", {}, step.text, step.whose ? el("small", {}, ` [${step.whose}]`) : undefined, (step.seen || []).map((seen) => el("div", { class: "pvw-bad" }, seen))));
}

/** Who acts is told by a shape: the guest an open circle, KVM a full one, the VMM a full diamond, the event an open square. */
function markOf(side) {
  const shapes = { guest: "M7 2a5 5 0 1 1 0 10a5 5 0 1 1 0-10z", kernel: "M7 2a5 5 0 1 1 0 10a5 5 0 1 1 0-10z", user: "M7 1.5L12.5 7L7 12.5L1.5 7z", event: "M2.5 2.5h9v9h-9z" };
  const full = side === "kernel" || side === "user";
  return drawn("svg", { width: "14", height: "14", viewBox: "0 0 14 14", "aria-hidden": "true", class: "pvw-mark" }, drawn("path", { d: shapes[side] || shapes.event, "stroke-width": "2", class: full ? "pvw-full" : "pvw-open" }));
}

function arrowOf(step) {
  const [from, to] = [Math.min(step.lane, step.goal), Math.max(step.lane, step.goal)];
  const right = step.goal > step.lane;
  const head = drawn("svg", { width: "6", height: "10", viewBox: "0 0 6 10", "aria-hidden": "true" }, drawn("path", { d: right ? "M0 0L6 5L0 10z" : "M6 0L0 5L6 10z", class: "pvw-full" }));
  return el("i", { class: right ? "pvw-arrow pvw-right" : "pvw-arrow pvw-left", style: `--from:${from};--to:${to}` }, head);
}

function spokenStep(data, at) {
  if (!data.steps.length) return data.empty;
  if (!at) return "before the first step";
  const step = data.steps[at - 1];
  return `${data.lanes[step.lane]}: ${step.text}${(step.seen || []).map((seen) => `. ${seen}`).join("")}`;
}

/** Memory by field, the host's entries and what the guest believes; what the step has changed is marked, with what was. */
function statePanel(data) {
  const node = el("div", { class: "pvw-state", tabindex: "0", role: "region", "aria-label": "memory, host and guest" });
  const cells = [];
  let group = null;
  let of = null;
  let table = null;
  for (const item of data.items) {
    if (item.group !== group) node.append(el("h4", {}, item.group));
    if (item.group !== group || item.of !== of) {
      table = el("tbody", {});
      node.append(el("table", {}, item.of ? el("caption", {}, item.of) : undefined, table));
    }
    [group, of] = [item.group, item.of];
    const value = el("span", {});
    const was = el("s", {});
    const row = el("tr", {}, el("th", { scope: "row" }, item.name), el("td", {}, was, value));
    table.append(row);
    cells.push({ row, value, was });
  }
  if (!data.items.length) node.append(el("p", {}, "No byte of memory and no entry of the host changes."));
  function show(state, before) {
    let first = null;
    cells.forEach(({ row, value, was }, at) => {
      const changed = state[at] !== before[at];
      say(value, state[at]);
      say(was, changed ? before[at] : "");
      if (changed !== row.classList.contains("pvw-changed")) row.classList.toggle("pvw-changed", changed);
      if (changed && !first) first = row;
    });
    if (first) reveal(node, first);
  }
  return { node, show };
}

function conclusion(data, jump) {
  if (!data.sentences.length) return el("p", { class: "pvw-end" }, data.ends);
  const where = data.since ? el("button", { type: "button", onclick: jump }, `since step ${data.since}`) : undefined;
  return el("div", { class: "pvw-end pvw-violated" }, el("strong", {}, `${data.failure.title}: `), data.sentences.join("; "), ". ", where, el("p", {}, data.failure.what));
}

function copiesOf(data, now, link) {
  return { "mail text": () => data.text || traceText(data), "command line": fixed(data.command), Python: fixed(data.python), JSON: () => JSON.stringify({ ...data.asked, step: now() }), "link to this": link };
}

/** A trace of a map as text for a mail: 72 columns; the page has no drawing of it as text. */
function traceText(data) {
  const wide = Math.max(...data.lanes.map((lane) => lane.length));
  const steps = data.steps.map((step, at) => folded(`${String(at + 1).padStart(3)}${at + 1 === data.since ? "!" : " "} ${data.lanes[step.lane].padEnd(wide)}  `, step.text));
  const end = data.sentences.length ? folded("", `${data.failure.title}: ${data.sentences.join("; ")}${data.since ? `, since step ${data.since}` : ""}.`) : data.ends;
  return `${[folded("", data.title), folded("", data.about), "", ...steps, "", end].join("\n")}\n`;
}

/** A text behind a beginning, in lines of 72 columns; a word that is longer is broken. */
function folded(start, text) {
  const lines = [start];
  let empty = true;
  for (const word of text.split(" ").flatMap((one) => one.match(/.{1,50}/g) || [])) {
    const last = lines[lines.length - 1];
    const longer = empty ? last + word : `${last} ${word}`;
    if (empty || longer.length <= 72) lines[lines.length - 1] = longer;
    else lines.push(" ".repeat(start.length) + word);
    empty = false;
  }
  return lines.join("\n");
}

function stepsCsv(data) {
  const lines = data.steps.map((step, at) => [at + 1, data.lanes[step.lane], step.text, step.changes.map(([item, text]) => `${data.items[item].name} = ${text}`).join("; ")]);
  return csvOf([["step", "who", "what", "changes"], ...lines]);
}
