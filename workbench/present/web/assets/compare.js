// The comparison: exits, state and fate of one machine for every design, and a heat map of all events.

const VCPU_STEPS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096];

function comparison(body, data) {
  const settings = { event: data.event, vcpus: data.vcpus, features: 0, metric: "exits", model: data.models.length ? data.models[0].name : "" };
  const start = { ...settings };
  readFragment();
  let ghost = null;
  const choice = (label, name, options) => {
    const select = el("select", { onchange: () => set(name, name === "features" ? Number(select.value) : select.value) }, options.map(([value, text]) => el("option", { value: String(value) }, text)));
    return { select, label: el("label", {}, `${label} `, select) };
  };
  const controls = {
    event: choice("event", "event", data.events.map((event) => [event.name, event.name])),
    features: choice("features", "features", data.features.map((name, at) => [at, name])),
    metric: choice("heat map", "metric", Object.entries(data.metrics).map(([name, metric]) => [name, metric.title])),
    model: choice("cost model", "model", data.models.map((model) => [model.name, model.title])),
  };
  const slider = el("input", { type: "range", min: "0", max: String(VCPU_STEPS.length - 1), "aria-label": "vCPUs", oninput: () => set("vcpus", VCPU_STEPS[Number(slider.value)]) });
  const number = el("input", { type: "number", min: "1", max: "4096", "aria-label": "number of vCPUs", onchange: () => set("vcpus", Math.min(Math.max(Math.round(Number(number.value)) || 1, 1), 4096)) });
  const headline = el("p", { class: "pvw-spoken", role: "status" });
  const machine = el("div", {});
  const heat = el("div", { class: "pvw-grid", role: "region", "aria-label": "all events" });
  const note = el("p", { class: "pvw-about" });

  function set(name, value) {
    if (settings[name] === value) return;
    ghost = { ...settings };
    settings[name] = value;
    draw();
  }

  function draw() {
    for (const [name, { select }] of Object.entries(controls)) select.value = String(settings[name]);
    slider.value = String(nearest(settings.vcpus));
    slider.setAttribute("aria-valuetext", `${settings.vcpus} vCPUs`);
    if (number.value !== String(settings.vcpus)) number.value = String(settings.vcpus);
    const found = data.designs.map((design) => numbersOf(data, design, settings));
    const before = ghost && data.designs.map((design) => numbersOf(data, design, ghost));
    const event = data.events.find((one) => one.name === settings.event);
    say(headline, `${settings.event}, ${settings.vcpus} vCPU${settings.vcpus > 1 ? "s" : ""}, ${data.features[settings.features]}: ${data.designs.map((design, at) => `${design} ${found[at] ? `${found[at].exits} exits, ${found[at].fate}` : "cannot happen"}`).join("; ")}`);
    machine.replaceChildren(machineTable(data, settings, found, before));
    const inside = heat.contains(document.activeElement);
    heat.replaceChildren(heatTable(data, settings, (name) => set("event", name)));
    if (inside) heat.querySelector("[aria-pressed=true]").focus();
    const said = [event.what, ...new Set(found.filter(Boolean).map((one) => one.source))];
    const model = data.models.find((one) => one.name === settings.model);
    if (model) said.push(`Cycles: ${model.source}; ${model.stands_for}.`);
    say(note, said.join(" "));
    toAddress(data, fragmentOf());
  }

  function readFragment() {
    const said = fromAddress(data);
    if (data.events.some((event) => event.name === said.get("event"))) settings.event = said.get("event");
    if (/^\d{1,4}$/.test(said.get("vcpus") || "")) settings.vcpus = Math.min(Math.max(Number(said.get("vcpus")), 1), 4096);
    if (data.features.includes(said.get("features"))) settings.features = data.features.indexOf(said.get("features"));
    if (said.get("metric") in data.metrics) settings.metric = said.get("metric");
    if (data.models.some((model) => model.name === said.get("model"))) settings.model = said.get("model");
  }

  function fragmentOf() {
    return `#${new URLSearchParams({ ...settings, features: data.features[settings.features] })}`;
  }

  heat.addEventListener("keydown", (event) => moveInGrid(event, heat, ".pvw-link"));
  const asked = () => ({ protocols: data.asked.designs, events: [data.asked.events[settings.event]], features: settings.features || data.features.length === 1 ? [data.asked.features[settings.features]] : data.asked.all, vcpus: settings.vcpus, cost_model: settings.model });
  const option = (name, values) => `--${name} ${values.map(quoted).join(",")}`;
  const command = () => ["workbench compare", option("protocols", asked().protocols), option("events", asked().events), ...(asked().features.length ? [option("features", asked().features)] : []), `--vcpus ${settings.vcpus}`, ...(settings.model ? [option("cost-model", [settings.model])] : [])].join(" ");
  const python = () => `from workbench.measure import compare\n\ncompare(${JSON.stringify(asked().protocols)}, ${JSON.stringify(asked().events)}, ${asked().features.length ? JSON.stringify(asked().features) : "None"}, vcpus=${settings.vcpus})\n`;
  const name = () => fileName("comparison", settings.event, `${settings.vcpus}-vcpus`);
  body.append(el("h3", {}, data.title),
    el("div", { class: "pvw-bar", role: "group", "aria-label": "the machine" }, controls.event.label, el("label", {}, "vCPUs ", number), slider, controls.features.label, controls.model.label,
      el("button", { type: "button", onclick: () => { ghost = { ...settings }; Object.assign(settings, start); draw(); } }, "Reset")),
    headline, machine, note, el("div", { class: "pvw-bar" }, controls.metric.label), heat,
    takeAway(body, "these numbers", name, { "mail text": () => mailTable(data, settings), "command line": command, Python: python, JSON: () => JSON.stringify({ ...asked(), metric: settings.metric }), "link to this": () => linkTo(data, fragmentOf()) }, () => comparisonCsv(data, settings)));
  draw();
}

function nearest(vcpus) {
  return VCPU_STEPS.reduce((best, steps, at) => (Math.abs(steps - vcpus) < Math.abs(VCPU_STEPS[best] - vcpus) ? at : best), 0);
}

/** The numbers of one design for these settings: run, or on the straight line through 2 and 3 vCPUs; null if the event cannot happen. */
function numbersOf(data, design, settings) {
  const runs = data.runs[`${design} ${settings.event} ${settings.features}`];
  if (!runs) return null;
  const at = (vcpus) => runs[data.points.indexOf(vcpus)];
  const named = (run) => Object.fromEntries(data.columns.map((column, place) => [column, run[place]]));
  let found;
  let source;
  if (data.points.includes(settings.vcpus) && !at(settings.vcpus)) return null;
  if (at(settings.vcpus)) {
    found = named(at(settings.vcpus));
    source = "Every number is of a run of the simulator.";
  } else {
    if (!at(2) || !at(3)) return null;
    const [two, three] = [named(at(2)), named(at(3))];
    found = { ...two, fate: three.fate };
    for (const column of data.columns) if (typeof two[column] === "number") found[column] = two[column] + (three[column] - two[column]) * (settings.vcpus - 2);
    const most = data.points[data.points.length - 1];
    const line = data.straight[`${design} ${settings.event} ${settings.features}`];
    source = line ? `Extrapolated: no run of ${settings.vcpus} vCPUs; the straight line through 2 and 3 vCPUs also meets the run of ${most}.` : `Extrapolated: no run of ${settings.vcpus} vCPUs; the straight line through 2 and 3 vCPUs MISSES the run of ${most}, so this may be wrong.`;
  }
  const model = data.models.find((one) => one.name === settings.model);
  const known = model && (found.user_exits === 0 || model.user !== null);
  found.cycles = known ? found.kernel_exits * model.kernel + found.user_exits * (model.user || 0) + found.accesses * (model.access || 0) : null;
  return { ...found, exits: found.kernel_exits + found.user_exits, source };
}

function shownNumber(value) {
  return value === null || value === undefined ? "unknown" : typeof value === "number" ? value.toLocaleString("en").replaceAll(",", "\u202f") : value;
}

function machineTable(data, settings, found, before) {
  const bars = [["exits", "exits", [["kernel_exits", "by KVM"], ["user_exits", "by the VMM"]]], ["state", "bytes a migration must carry afterwards", [["carried", "an interface carries them"], ["uncarried", "no interface carries them"]]], ["guest_bytes", "bytes of guest memory", [["guest_bytes", ""]]]];
  const rows = [];
  for (const [, title, parts] of bars) {
    const total = (one) => (one ? parts.reduce((sum, [part]) => sum + one[part], 0) : 0);
    const most = Math.max(1, ...found.map(total), ...(before || []).map(total));
    rows.push(el("tr", { class: "pvw-group" }, el("th", { colspan: "3", scope: "rowgroup" }, title, parts[0][1] ? el("small", {}, ` (${parts.map(([, name], at) => `${at ? "striped" : "plain"}: ${name}`).join(", ")})`) : undefined)));
    found.forEach((one, at) => {
      const was = before && before[at] ? total(before[at]) : null;
      const pieces = one ? parts.map(([part], place) => el("i", { class: place ? "pvw-part pvw-second" : "pvw-part", style: `width:${(100 * one[part]) / most}%` })) : [];
      const shadow = was !== null && one && was !== total(one) ? el("i", { class: "pvw-ghost", style: `width:${(100 * was) / most}%`, title: `before: ${shownNumber(was)}` }) : undefined;
      const text = one ? shownNumber(total(one)) + (parts.length > 1 && one[parts[1][0]] ? ` (${shownNumber(one[parts[0][0]])} + ${shownNumber(one[parts[1][0]])})` : "") : "cannot happen";
      rows.push(el("tr", { style: `--own:var(--p${data.colours[at]})` }, el("th", { scope: "row" }, data.designs[at]), el("td", { class: "pvw-bars" }, el("div", {}, pieces, shadow)), el("td", { class: "pvw-number" }, text)));
    });
  }
  rows.push(el("tr", { class: "pvw-group" }, el("th", { colspan: "3", scope: "rowgroup" }, "what became of the areas, and what the exits cost")));
  found.forEach((one, at) => rows.push(el("tr", { style: `--own:var(--p${data.colours[at]})` }, el("th", { scope: "row" }, data.designs[at]),
    el("td", {}, one ? el("span", { class: `pvw-fate pvw-fate-${one.fate}` }, one.fate) : "cannot happen", one ? ` ${data.fates[one.fate] || ""}` : undefined, one && one.lost_entries ? el("strong", { class: "pvw-bad" }, ` ${one.lost_entries} entries that no interface carries`) : undefined),
    el("td", { class: "pvw-number" }, one ? (one.cycles === null ? "cost unknown" : `${shownNumber(one.cycles)} cycles`) : ""))));
  return el("table", { class: "pvw-machine" }, el("caption", { class: "pvw-hidden" }, `one machine: ${settings.event}, ${settings.vcpus} vCPUs`), el("tbody", {}, rows));
}

function heatTable(data, settings, choose) {
  const metric = data.metrics[settings.metric];
  const valued = (design, event) => {
    const one = numbersOf(data, design, { ...settings, event: event.name });
    return one === null ? null : metric.word ? one.fate : metric.columns.reduce((sum, column) => (one[column] === null ? null : sum + one[column]), 0);
  };
  const values = data.events.map((event) => data.designs.map((design) => valued(design, event)));
  const most = Math.max(1, ...values.flat().filter((value) => typeof value === "number"));
  const lines = [];
  let group = null;
  data.events.forEach((event, row) => {
    if (event.group !== group) lines.push(el("tr", { class: "pvw-group" }, el("th", { colspan: String(data.designs.length + 1), scope: "rowgroup" }, event.group)));
    group = event.group;
    const cells = values[row].map((value) => {
      const shade = typeof value === "number" ? Math.round((70 * Math.log1p(value)) / Math.log1p(most)) : 0;
      return el("td", { class: typeof value === "string" ? `pvw-fate-${value}` : "pvw-heat", style: typeof value === "number" ? `--shade:${shade}%` : undefined }, value === null ? "-" : shownNumber(value));
    });
    lines.push(el("tr", { class: event.name === settings.event ? "pvw-now" : undefined }, el("th", { scope: "row" }, el("button", { type: "button", class: "pvw-link", tabindex: event.name === settings.event ? "0" : "-1", title: event.what, "aria-pressed": String(event.name === settings.event), onclick: () => choose(event.name) }, event.name)), cells));
  });
  return el("table", { class: "pvw-map pvw-heats" }, el("caption", {}, `${metric.title}${metric.unit === metric.title ? "" : `, ${metric.unit}`}; ${settings.vcpus} vCPUs, ${data.features[settings.features]}${metric.word ? "" : "; shades are logarithmic"}`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "event"), data.designs.map((design) => el("th", { scope: "col" }, design)))), el("tbody", {}, lines));
}

function rowsOf(data, settings) {
  return data.events.flatMap((event) => data.designs.map((design) => [event.name, design, numbersOf(data, design, { ...settings, event: event.name })]).filter(([, , one]) => one));
}

function comparisonCsv(data, settings) {
  const columns = ["kernel_exits", "user_exits", "carried", "uncarried", "lost_entries", "guest_bytes", "cycles", "fate"];
  const lines = rowsOf(data, settings).map(([event, design, one]) => [event, design, settings.vcpus, one.source.startsWith("Extrapolated") ? "extrapolated" : "run", ...columns.map((column) => one[column])]);
  return csvOf([["event", "protocol", "vcpus", "source", ...columns], ...lines]);
}

/** The chosen machine as a table for a mail: plain ASCII, 72 columns. */
function mailTable(data, settings) {
  const found = data.designs.map((design) => [design, numbersOf(data, design, settings)]).filter(([, one]) => one);
  const lines = [`${settings.event}: ${settings.vcpus} vCPUs, ${data.features[settings.features]} (simulated)`, ""];
  lines.push(`${"protocol".padEnd(22)} ${["exits", "to VMM", "state", "lost", "guest"].map((name) => name.padStart(6)).join(" ")}  fate`);
  for (const [design, one] of found) lines.push(`${design.slice(0, 22).padEnd(22)} ${[one.exits, one.user_exits, one.carried + one.uncarried, one.lost_entries, one.guest_bytes].map((value) => String(value).padStart(6)).join(" ")}  ${one.fate}`);
  return `${lines.join("\n")}\n\nexits; state and guest memory in bytes; lost: entries no interface\ncarries. ${[...new Set(found.map(([, one]) => one.source))].join(" ")}\n`;
}
