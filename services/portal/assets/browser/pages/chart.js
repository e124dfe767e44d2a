// Transactions by kind over time: stacked areas, drawn by uPlot, with the colours of the style sheet.

import uPlot from "uplot";

const REFRESH_MS = 10_000;

/** Draws into a `[data-activity]`, and keeps it up to date. */
export function draw(box) {
  const plot = box.querySelector(".explorer-chart__plot");
  const buttons = [...box.querySelectorAll("[data-range]")];
  let range = "hour";
  let drawn = null;
  const show = async () => {
    const answer = await fetch(`${box.dataset.activity}?range=${range}`);
    if (!answer.ok) return;
    const { times, series, step_seconds } = await answer.json();
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.range === range));
    drawn?.destroy();
    drawn = null;
    plot.replaceChildren();
    if (series.length === 0) {
      const empty = document.createElement("p");
      empty.className = "explorer-chart__empty";
      empty.textContent = box.dataset.empty;
      plot.append(empty);
      return;
    }
    drawn = stacked(plot, times, series, step_seconds);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      range = button.dataset.range;
      show();
    });
  }
  new ResizeObserver(() => drawn?.setSize(size(plot))).observe(plot);
  show();
  setInterval(() => document.hidden || plot.matches(":hover") || show(), REFRESH_MS);
}

function size(plot) {
  return { width: Math.max(240, plot.clientWidth), height: 260 };
}

function stacked(plot, times, series, step) {
  // Each series is drawn on top of the sum of those before it; the largest sum first, so that the others cover it.
  const sums = [];
  let below = times.map(() => 0);
  for (const { counts } of series) {
    below = below.map((sum, at) => sum + counts[at]);
    sums.push(below);
  }
  const order = series.map((_, at) => at).reverse();
  const colour = (contract) => getComputedStyle(document.documentElement).getPropertyValue(`--kind-${contract}`).trim();
  const muted = "#4c6272";
  const axis = { stroke: muted, grid: { stroke: "#e3e8eb", width: 1 }, ticks: { stroke: "#e3e8eb", width: 1 }, font: "12px sans-serif" };
  const seconds = (value) => new Date(value * 1000);
  const language = document.documentElement.lang.replace(/^en$/, "en-GB"); // days as the pages write them: 26 November
  const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: step < 86400 ? "short" : undefined });
  const length = times.at(-1) - times[0];
  const short = new Intl.DateTimeFormat(language, length <= 2 * 86400 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { day: "numeric", month: "short" });
  const options = {
    ...size(plot),
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    legend: { live: true },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [{ ...axis, space: 70, values: (_, ticks) => ticks.map((tick) => short.format(seconds(tick))) }, { ...axis, size: 54, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString(document.documentElement.lang) : "")) }],
    series: [
      { label: "", value: (_, value) => (value === null ? "" : format.format(seconds(value))) },
      ...order.map((at) => ({
        label: series[at].name,
        stroke: colour(series[at].contract),
        fill: colour(series[at].contract),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.stepped({ align: 1 }),
        value: (_, __, ___, index) => (index === null || index === undefined ? "" : series[at].counts[index].toLocaleString(document.documentElement.lang)),
      })),
    ],
  };
  return new uPlot(options, [times, ...order.map((at) => sums[at])], plot);
}
