// Prepares what the pages load: `node build.mjs NODE_MODULES DESTINATION`. Run by services/portal/build.rs.
//
// From the packages come the design system's style sheet and script, htmx and uPlot; from `source/` and `browser/` our
// own. Rules that load from other hosts (licensed fonts) are left out, the brand's colours are ours, and every file gets
// its compressed forms beside it.
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [modules, destination] = process.argv.slice(2);
if (!modules || !destination) {
  console.error("usage: node build.mjs NODE_MODULES DESTINATION");
  process.exit(2);
}

/** The design system's colours, and ours in their place: its blue is another organisation's brand. */
const colours = new Map([
  ["#005eb8", "#0b5563"], // brand, links
  ["#003087", "#07323c"], // dark brand
  ["#002f5c", "#04262e"], // active link
  ["#004b93", "#083f4a"], // hover
  ["#330072", "#0b5563"], // visited link: what was read is no secret to show on a shared screen
  ["#007f3b", "#0a6b4f"], // button
  ["#00662f", "#085740"],
  ["#00401e", "#053828"],
]);

function styles(name) {
  let css = readFileSync(name, "utf8");
  css = css.replace(/@font-face\s*{[^}]*}/g, "");
  css = css.replace(/\/\*#\s*sourceMappingURL=[^*]*\*\//g, "");
  // Icons of the design system that are files of their own: none is needed here.
  css = css.replace(/url\(\/assets\/images\/[^)]*\)/g, "none");
  for (const [theirs, ours] of colours) css = css.replaceAll(theirs, ours);
  css = css.replace(/Frutiger W01,\s*/g, "");
  const foreign = css.match(/url\(\s*["']?(?:https?:)?\/\/[^)]*\)/);
  if (foreign) throw new Error(`${name}: still loads ${foreign[0]}`);
  return css;
}

function script(name) {
  return readFileSync(name, "utf8").replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n");
}

function put(name, content) {
  const file = join(destination, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

rmSync(destination, { recursive: true, force: true });
put(
  "medshare.css",
  styles(join(modules, "nhsuk-frontend/dist/nhsuk/nhsuk-frontend.min.css")) +
    styles(join(modules, "uplot/dist/uPlot.min.css")) +
    ["medshare.css", "explorer.css", "verify.css"].map((name) => styles(join(here, "source", name))).join(""),
);
put("nhsuk-frontend.js", script(join(modules, "nhsuk-frontend/dist/nhsuk/nhsuk-frontend.min.js")));
put("htmx.js", script(join(modules, "htmx.org/dist/htmx.min.js")));
put("uplot.js", script(join(modules, "uplot/dist/uPlot.iife.min.js")) + "globalThis.uPlot = uPlot;\n");
for (const name of readdirSync(join(here, "source"))) {
  if (extname(name) !== ".css") put(name, readFileSync(join(here, "source", name)));
}
bundle(here, modules, destination);

function compress(folder) {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (statSync(file).isDirectory()) compress(file);
    else if ([".css", ".js", ".mjs", ".svg", ".html", ".json"].includes(extname(name))) {
      const content = readFileSync(file);
      writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
      const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
      writeFileSync(`${file}.br`, brotliCompressSync(content, { params: quality }));
    }
  }
}
compress(destination);
