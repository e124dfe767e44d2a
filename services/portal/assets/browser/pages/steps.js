// Shows the steps of a verification, as the browser takes them.

/** Fills in `.verify`: each step held, failed or not reached, and the verdict. */
export function showSteps(box, { holds, steps }, verdict) {
  for (const step of steps) {
    const line = box.querySelector(`[data-step="${step.key}"]`);
    line.className = `verify__step verify__step--${step.state}`;
    line.querySelector(".verify__detail").textContent = step.state === "failed" ? `${step.detail} (${step.number})` : step.detail;
  }
  const shown = box.querySelector(".verify__verdict");
  shown.textContent = verdict;
  shown.className = `verify__verdict verify__verdict--${holds ? "holds" : "fails"}`;
}
