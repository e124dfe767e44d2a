// Vital signs as charts (uPlot): the points are in the page, beside the table that shows the same, in its language and at its
// place's time.
await import("./uplot.js");

const colours = ["#0b5563", "#b3541e"];
// Days as the pages write them: 26 November.
const language = document.documentElement.lang.replace(/^en$/, "en-GB");
const format = (parts) => new Intl.DateTimeFormat(language, { timeZone: "UTC", hourCycle: "h23", ...parts });
const clock = format({ hour: "2-digit", minute: "2-digit" });
const day = format({ day: "numeric", month: "short" });
const whole = format({ day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });

for (const place of document.querySelectorAll("[data-chart]")) {
  const { time, offset_seconds, lines, columns } = JSON.parse(place.parentElement.querySelector("template").content.textContent);
  // Dates of which UTC shows what a clock at the place shows.
  const there = (seconds) => new Date((seconds + offset_seconds) * 1000);
  const tick = (seconds) => ((seconds + offset_seconds) % 86_400 === 0 ? day : clock).format(there(seconds));
  const options = {
    width: place.clientWidth,
    height: 208,
    cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true } },
    tzDate: (seconds) => globalThis.uPlot.tzDate(there(seconds), "Etc/UTC"),
    axes: [{ space: 60, font: "12px sans-serif", values: (_, ticks) => ticks.map(tick) }, { size: 44, font: "12px sans-serif" }],
    series: [
      { label: time, value: (_, seconds) => (seconds === null ? "–" : whole.format(there(seconds))) },
      ...lines.map((label, number) => ({ label, stroke: colours[number], width: 2, points: { size: 4 }, spanGaps: false })),
    ],
  };
  const plot = new globalThis.uPlot(options, columns, place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 208 })).observe(place);
}
