"use strict";
// Keys turn the slides. Where a slide is taller than the window, up, down and space scroll as they always do.

const slides = [...document.querySelectorAll(".slide")];

/** Return the number of the slide that fills most of the window. */
function shown() {
  const middle = innerHeight / 2;
  const at = slides.findIndex((slide) => slide.getBoundingClientRect().bottom > middle);
  return at < 0 ? slides.length - 1 : at;
}

/** Go to a slide; its number is part of the address, so that it can be linked to. */
function go(to) {
  const at = Math.min(Math.max(to, 0), slides.length - 1);
  slides[at].scrollIntoView();
  history.replaceState(null, "", `#${at}`);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const now = shown();
  const fits = slides[now].offsetHeight <= innerHeight + 2;
  const on = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
  const fitting = { ArrowDown: 1, " ": event.shiftKey ? -1 : 1, ArrowUp: -1 };
  const by = on[event.key] || (fits && fitting[event.key]);
  const to = { Home: 0, End: slides.length - 1 }[event.key] ?? (by ? now + by : undefined);
  if (to === undefined || (event.key === " " && event.target.closest("a"))) return;
  event.preventDefault();
  go(to);
});
