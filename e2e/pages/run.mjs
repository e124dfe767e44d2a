// `node run.mjs ACCOUNTS [STORY ...]`: plays every story (or those named) in both widths against the system whose accounts
// are in the file that `medshare demo --keep` writes. Exit code 1 when anything is not as it should be.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, sizes, Window } from "./browser.mjs";

const [file, ...wanted] = process.argv.slice(2);
const accounts = JSON.parse(readFileSync(file, "utf8"));
const here = join(dirname(fileURLToPath(import.meta.url)), "stories");
const names = readdirSync(here).map((name) => name.replace(/\.mjs$/, "")).sort()
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const browser = await launch();
const figures = new Map();
let failed = 0;
for (const name of names) {
  const story = await import(`./stories/${name}.mjs`);
  for (const size of Object.keys(sizes)) {
    const started = Date.now();
    const open = (locale, portal = accounts.portal) => Window.open(browser, name, size, portal, figures, locale);
    const windows = [];
    const problems = [];
    try {
      await story.play({ accounts, folder: dirname(resolve(file)), size, open: async (...how) => windows[windows.push(await open(...how)) - 1] });
    } catch (error) {
      problems.push(`${name} (${size}): ${error.stack.split("\n").slice(0, 4).join("\n    ")}`);
      for (const window of windows) {
        problems.push(`    at ${window.page.url()}: ${(await window.page.locator("main").innerText().catch(() => "")).slice(0, 300)}`);
        await window.shoot("FAILED").catch(() => {});
      }
    }
    for (const window of windows) {
      problems.push(...window.problems);
      await window.close();
    }
    failed += problems.length > 0 ? 1 : 0;
    console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${name} (${size}) ${((Date.now() - started) / 1000).toFixed(1)} s`);
    for (const problem of new Set(problems)) console.log(`     ${problem}`);
  }
}
await browser.close();
console.log("\nserver time of pages, milliseconds (median of n):");
for (const [path, times] of [...figures].sort()) {
  times.sort((one, other) => one - other);
  console.log(`  ${times[Math.floor(times.length / 2)].toFixed(1).padStart(8)}  n ${String(times.length).padStart(3)}  ${path}`);
}
console.log(failed === 0 ? "pages: passed" : `pages: ${failed} FAILED`);
process.exit(failed === 0 ? 0 : 1);
