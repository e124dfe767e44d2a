// What every page has: the design system's behaviour, living regions, forms that are sent once.
import { initAll } from "./nhsuk-frontend.js";

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
initAll();

// On a phone the navigation scrolls sideways: where one is, is in sight.
for (const current of document.querySelectorAll("nav li:has(> [aria-current])")) {
  const list = current.parentElement;
  const place = current.getBoundingClientRect().left - list.getBoundingClientRect().left;
  list.scrollLeft = Math.max(0, place - (list.clientWidth - current.offsetWidth) / 2);
}

// A form is sent once; the server would refuse to do it twice as well.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post") return;
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button?.dataset.busy) {
    button.setAttribute("aria-disabled", "true");
    document.getElementById("busy").textContent = button.dataset.busy;
    document.body.classList.add("medshare-busy");
  }
});
// Coming back to a page that was left by sending its form.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
  document.body.classList.remove("medshare-busy");
  document.getElementById("busy").textContent = "";
});

// Living regions: htmx fetches them again when the ledger has something new for them.
if (document.querySelector("[data-live]")) import("./live.js");
if (document.querySelector("[data-chart]")) import("./charts.js");
