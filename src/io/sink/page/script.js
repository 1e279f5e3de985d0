// Refreshes the page: fetches the page every few seconds and replaces <main>. Scroll position,
// filter and open details are preserved. The page also works without this script.
"use strict";

const INTERVAL_MS = 5000;
const live = document.getElementById("live");

// The filter works only with this script, so the script adds the filter to the page.
let filterText = new URLSearchParams(location.search).get("q") || "";

function filterRows() {
  const words = filterText.toLowerCase().split(/\s+/).filter(Boolean);
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
  box.value = filterText;
  box.addEventListener("input", () => {
    filterText = box.value;
    filterRows();
  });
  heading.after(box);
  filterRows();
}

// Replaces <main> and restores the filter, the open details and the scroll position.
function replaceMain(fresh) {
  const old = document.querySelector("main");
  const box = document.getElementById("filter");
  const caret = document.activeElement === box && box ? box.selectionStart : null;
  const openDetails = [...old.querySelectorAll("details")].map((part) => part.open);
  const [x, y] = [scrollX, scrollY];
  old.replaceWith(fresh);
  if (fresh.querySelectorAll("details").length === openDetails.length) {
    fresh.querySelectorAll("details").forEach((part, place) => { part.open = openDetails[place]; });
  }
  addFilter();
  if (caret !== null) {
    const input = document.getElementById("filter");
    input.focus({ preventScroll: true });
    input.setSelectionRange(caret, caret);
  }
  scrollTo(x, y);
}

async function refresh() {
  // A hidden page is not refreshed, to save load. Refreshing would discard a text selection.
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(4 * INTERVAL_MS) });
    if (!response.ok) throw new Error("status " + response.status);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    replaceMain(page.querySelector("main"));
    document.title = page.title;
    live.textContent = page.getElementById("live").textContent;
    live.classList.remove("stale");
  } catch (error) {
    // Mark the page as stale, so that it does not look current.
    if (!live.classList.contains("stale")) live.textContent += " – no longer updating";
    live.classList.add("stale");
  }
}

// A page with very many targets takes long to fetch and render. Such a page is refreshed less
// often, so that refreshing takes at most a twentieth of the time.
async function loop() {
  const started = performance.now();
  await refresh();
  setTimeout(loop, Math.max(INTERVAL_MS, 20 * (performance.now() - started)));
}

addFilter();
setTimeout(loop, INTERVAL_MS);
