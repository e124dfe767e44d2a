// The explorer's living parts: ages that count on, blocks as they come, the chart.

keepAges();
const chain = document.querySelector("[data-tail]");
if (chain) follow(chain);
const nodes = document.getElementById("overview-nodes");
if (nodes) setInterval(() => document.hidden || refresh(nodes.id), 10_000);
const chart = document.querySelector("[data-activity]");
if (chart) import("./chart.js").then(({ draw }) => draw(chart));

function keepAges() {
  const { agoSeconds, agoMinutes, agoHours, agoDays } = document.querySelector(".explorer-head").dataset;
  const steps = [
    [60, 1, agoSeconds],
    [3600, 60, agoMinutes],
    [86400, 3600, agoHours],
    [Infinity, 86400, agoDays],
  ];
  const tick = () => {
    for (const shown of document.querySelectorAll("[data-ago]")) {
      const seconds = Math.max(0, Math.floor(Date.now() / 1000 - Number(shown.dataset.ago) / 1e6));
      const [, unit, text] = steps.find(([limit]) => seconds < limit);
      const now = text.replace("{count}", String(Math.floor(seconds / unit)));
      if (shown.textContent !== now) shown.textContent = now;
    }
  };
  tick();
  setInterval(tick, 1000);
}

function follow(list) {
  const entries = document.getElementById("latest-transactions");
  const pulse = document.getElementById("pulse");
  const shown = list.children.length || 12;
  const [rows, blocks, transactions, last] = [
    entries?.children.length || 10,
    document.getElementById("figure-blocks"),
    document.getElementById("figure-transactions"),
    document.getElementById("figure-last"),
  ];
  const format = new Intl.NumberFormat(document.documentElement.lang);
  let counted = Number(transactions.textContent.replace(/\D/g, ""));
  let newest = Number(list.firstElementChild?.dataset.height ?? -1);
  const source = new EventSource(list.dataset.tail);
  source.addEventListener("open", () => pulse.classList.add("explorer-pulse--on"));
  source.addEventListener("error", () => pulse.classList.remove("explorer-pulse--on"));
  addEventListener("pagehide", () => source.close());
  source.addEventListener("block", (event) => {
    const block = JSON.parse(event.data);
    if (block.height <= newest) return;
    newest = block.height;
    // A row that is being read does not move under the reader's eyes or pointer.
    const atStart = list.scrollLeft < 20;
    put(list, [block.tile], shown, "explorer-tile--new");
    if (!atStart) list.scrollLeft += list.firstElementChild.offsetWidth + 12;
    if (entries && !entries.matches(":hover, :focus-within")) put(entries, block.entries, rows, "explorer-entry--new");
    counted += block.transactions;
    blocks.textContent = format.format(block.height + 1);
    transactions.textContent = format.format(counted);
    const age = last.querySelector("[data-ago]");
    if (age) age.dataset.ago = String(block.time_us);
  });
}

/** Fetches a part of the page again, unless somebody is reading in it. */
async function refresh(id) {
  const shown = document.getElementById(id);
  if (shown.matches(":hover, :focus-within")) return;
  const answer = await fetch(location.pathname);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  if (fresh) shown.replaceWith(fresh);
}

/** Puts markup made by the server in front of a list, and lets go of its end. */
function put(list, parts, most, mark) {
  for (const markup of [...parts].reverse()) {
    const part = document.createElement("template");
    part.innerHTML = markup;
    const item = part.content.firstElementChild;
    item.classList.add(mark);
    list.prepend(item);
  }
  while (list.children.length > most) list.lastElementChild.remove();
}
