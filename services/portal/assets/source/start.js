// Loaded before anything is drawn: says that scripts run, so that nothing moves once they do.
document.documentElement.classList.add("js-enabled");
addEventListener("DOMContentLoaded", () => document.body.classList.add("js-enabled", "nhsuk-frontend-supported"));
