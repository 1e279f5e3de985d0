// Keeps the page current: fetches it again every few seconds and puts the new <main> in
// place of the old one. Scroll position, filter and open details stay as they are. The
// page is whole without this script.
"use strict";

const EVERY_MS = 5000;
const live = document.getElementById("live");

// The filter exists only with the script, since it does nothing without it.
let wanted = new URLSearchParams(location.search).get("q") || "";

function filterRows() {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll(".targets tbody tr")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
}

function addFilter() {
  const heading = document.getElementById("all");
  if (!heading) return;
  const box = document.createElement("input");
  box.id = "filter";
  box.type = "search";
  box.placeholder = "Filter by name, state, cause…";
  box.setAttribute("aria-label", "Filter targets");
  box.value = wanted;
  box.addEventListener("input", () => {
    wanted = box.value;
    filterRows();
  });
  heading.after(box);
  filterRows();
}

// Replaces <main>, carrying over what the reader did to the old one.
function replaceMain(fresh) {
  const old = document.querySelector("main");
  const box = document.getElementById("filter");
  const caret = document.activeElement === box && box ? box.selectionStart : null;
  const opened = [...old.querySelectorAll("details")].map((part) => part.open);
  const [x, y] = [scrollX, scrollY];
  old.replaceWith(fresh);
  if (fresh.querySelectorAll("details").length === opened.length) {
    fresh.querySelectorAll("details").forEach((part, place) => { part.open = opened[place]; });
  }
  addFilter();
  if (caret !== null) {
    const again = document.getElementById("filter");
    again.focus({ preventScroll: true });
    again.setSelectionRange(caret, caret);
  }
  scrollTo(x, y);
}

async function refresh() {
  // A page nobody looks at costs the daemon nothing; a selection is not torn away.
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(4 * EVERY_MS) });
    if (!answer.ok) throw new Error("status " + answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    replaceMain(page.querySelector("main"));
    document.title = page.title;
    live.textContent = page.getElementById("live").textContent;
    live.classList.remove("stale");
  } catch (error) {
    // Say that what is shown is old instead of letting it look current.
    if (!live.classList.contains("stale")) live.textContent += " – no longer updating";
    live.classList.add("stale");
  }
}

// A page of very many targets takes long to fetch and build: it is fetched less often,
// so that looking at it never takes more than a twentieth of anybody's time.
async function loop() {
  const begun = performance.now();
  await refresh();
  setTimeout(loop, Math.max(EVERY_MS, 20 * (performance.now() - begun)));
}

addFilter();
setTimeout(loop, EVERY_MS);
