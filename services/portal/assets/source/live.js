// Regions marked with `data-live="authorization ..."` (contracts) are fetched again, by htmx, when a block has touched one
// of these contracts. The server says so over one stream of server-sent events.
import "./htmx.js";

const regions = [...document.querySelectorAll("[data-live]")];
const contracts = [...new Set(regions.flatMap((region) => region.dataset.live.split(" ")))];
const mark = document.getElementById("live");
const source = new EventSource(`/live?contracts=${contracts.join(",")}`);
source.addEventListener("open", () => mark?.classList.add("medshare-live--on"));
source.addEventListener("error", () => mark?.classList.remove("medshare-live--on"));
addEventListener("pagehide", () => source.close());

// The service behind a page has a block about as soon as the portal has it: asked at once, and once more.
let waiting = false;
source.addEventListener("changed", () => {
  if (waiting) return;
  waiting = true;
  setTimeout(ask, 60);
  setTimeout(() => {
    waiting = false;
    ask();
  }, 600);
});
function ask() {
  document.body.dispatchEvent(new CustomEvent("ledger-changed"));
}

// What did not change stays untouched, and so does a region in which somebody is typing.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const region = event.detail.target;
  const fresh = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").getElementById(region.id);
  const typing = region.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (!fresh || typing || fingerprint(fresh) === fingerprint(region)) {
    event.detail.shouldSwap = false;
    return;
  }
  const announcement = document.getElementById("announcement");
  announcement.textContent = announcement.dataset.changed;
});

// Whoever may not see it any more (a delegation ended, a session ended) does not go on seeing it.
document.body.addEventListener("htmx:responseError", (event) => {
  if ([401, 403].includes(event.detail.xhr.status)) location.reload();
});

/** A region's content without what differs each time it is made: the keys of forms. */
function fingerprint(region) {
  const copy = region.cloneNode(true);
  for (const input of copy.querySelectorAll("input[type=hidden]")) input.remove();
  return copy.innerHTML.replace(/\s+/g, " ");
}
