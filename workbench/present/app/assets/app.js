// A form, the work on its question, and the answer. Only the newest question counts: an older one is cancelled.
"use strict";

const form = document.getElementById("ask");
const at = (id) => document.getElementById(id);
const PAUSE = 50; // ms without a further change before a question is asked
let newest = 0; // which question of this page is the newest
let number = null; // the work on it, while there is any
let due = null;

async function post(place, content) {
  const answer = await fetch(place, { method: "POST", body: JSON.stringify(content) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** Return what is filled in, as {field: [value, ...]}. */
function filled() {
  const found = {};
  for (const [name, value] of new FormData(form)) (found[name] ||= []).push(value);
  return found;
}

/** Fill the form in as the page's address says. */
function fillIn(settings) {
  for (const control of form.elements) {
    if (!control.name) continue;
    const values = settings.getAll(control.name);
    if (control.type === "checkbox") control.checked = values.includes(control.value);
    else {
      const ticks = [...form.querySelectorAll(`input[type=checkbox][name="${control.name}"]`)].map((one) => one.value);
      control.value = values.filter((value) => !ticks.includes(value)).join(",");
    }
  }
}

/** Dim the answer: it is no longer that of the form. */
function dim() {
  at("answer").classList.add("app-waiting");
  at("wrong").hidden = true;
}

/** Say why there is no answer; that of an earlier question is not shown beside it. */
function fail(said) {
  at("answer").hidden = true;
  at("told").textContent = "";
  at("wrong").hidden = false;
  at("wrong").textContent = said;
}

function stop() {
  if (number !== null) post(`cancel/${number}`).catch(() => {});
}

async function ask() {
  const mine = ++newest;
  clearTimeout(due);
  dim();
  stop();
  number = null;
  history.replaceState(null, "", `?${new URLSearchParams(new FormData(form))}`);
  at("told").textContent = "asked";
  try {
    const begun = await post(`ask/${form.dataset.question}`, filled());
    if (mine !== newest) {
      if (begun.number !== undefined) post(`cancel/${begun.number}`).catch(() => {});
      return;
    }
    if (begun.error !== undefined) return fail(begun.error);
    number = begun.number;
    const ended = await watched(mine);
    if (ended !== null) show(ended);
  } catch (error) {
    if (mine === newest) fail(`the app does not answer (${error.message}): was it ended?`);
  } finally {
    if (mine === newest) {
      at("cancel").hidden = true;
      number = null;
    }
  }
}

/** Follow the work on a question until it ends; null if a newer question has been asked. */
async function watched(mine) {
  for (;;) {
    const state = await (await fetch(`work/${number}`)).json();
    if (mine !== newest) return null;
    if (state.state !== "working") return { ...state, number };
    at("cancel").hidden = false;
    at("told").textContent = `${state.said || "working"} (${state.seconds} s)`;
  }
}

function show(ended) {
  if (ended.state !== "done") return fail(ended.said);
  at("told").textContent = "";
  at("command").textContent = ended.command;
  const page = `page/${ended.number}`;
  at("open").href = page;
  at("save").href = page;
  at("answer").hidden = false;
  const frame = at("frame");
  // What was chosen inside the last answer is chosen in this one too: a view's settings are part of its address.
  const chosen = frame.contentWindow.location.hash;
  frame.onload = () => {
    at("answer").classList.remove("app-waiting");
    const main = frame.contentDocument.querySelector("main");
    if (main.matches(".deck")) return; // slides are as tall as their window, so the window must not grow with them
    const fit = () => { frame.style.height = `${main.offsetHeight + 8}px`; };
    fit();
    new ResizeObserver(fit).observe(main);
  };
  frame.contentWindow.location.replace(page + chosen);
}

function later() {
  dim();
  if (form.dataset.atOnce !== "true") {
    at("told").textContent = "the settings have changed: press Show";
    return;
  }
  clearTimeout(due);
  due = setTimeout(ask, PAUSE);
}

form.addEventListener("change", later);
form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
form.addEventListener("reset", () => setTimeout(() => (form.dataset.atOnce === "true" ? ask() : later())));
at("cancel").addEventListener("click", stop);
at("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(at("command").textContent);
    at("told").textContent = "copied";
  } catch {
    at("told").textContent = "the browser refused to copy";
  }
});
addEventListener("pagehide", () => { if (number !== null) navigator.sendBeacon(`cancel/${number}`, "{}"); });

const settings = new URLSearchParams(location.search);
if (settings.size) fillIn(settings);
if (form.dataset.atOnce === "true" && form.dataset.question !== "replay") ask();
