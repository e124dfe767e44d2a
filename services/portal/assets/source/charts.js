// Vital signs as charts (uPlot): the points are in the page, beside the table that shows the same.
await import("./uplot.js");

const colours = ["#0b5563", "#b3541e"];
for (const place of document.querySelectorAll("[data-chart]")) {
  const { lines, columns } = JSON.parse(place.parentElement.querySelector("template").content.textContent);
  const options = {
    width: place.clientWidth,
    height: 208,
    cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true } },
    axes: [{ space: 60, font: "12px sans-serif" }, { size: 44, font: "12px sans-serif" }],
    series: [
      { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
      ...lines.map((label, number) => ({ label, stroke: colours[number], width: 2, points: { size: 4 }, spanGaps: false })),
    ],
  };
  const plot = new globalThis.uPlot(options, columns, place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 208 })).observe(place);
}
