// `node run.mjs ACCOUNTS [STORY ...]`: plays every story (or those named) in both widths against the system whose accounts
// are in the file that `medshare demo --keep` writes. Exit code 1 when anything is not as it should be.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Figures, launch, sizes, Window } from "./browser.mjs";

const [file, ...wanted] = process.argv.slice(2);
const accounts = JSON.parse(readFileSync(file, "utf8"));
const here = join(dirname(fileURLToPath(import.meta.url)), "stories");
const names = readdirSync(here).map((name) => name.replace(/\.mjs$/, "")).sort()
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const browser = await launch();
const figures = new Figures();

/** One story in one width: its windows, and what went wrong in it. */
class Played {
  constructor(story, name, size) {
    Object.assign(this, { story, name, size, windows: [], problems: [], begun: undefined });
    const open = (locale, portal = accounts.portal) => Window.open(browser, name, size, portal, figures, locale);
    this.on = { accounts, folder: dirname(resolve(file)), size, open: async (...how) => this.windows[this.windows.push(await open(...how)) - 1] };
  }

  /** What the story needs to have happened a while before. */
  async begin() {
    await this.watched(async () => { this.begun = await this.story.begin(this.on); });
  }

  async play() {
    const started = Date.now();
    if (this.problems.length === 0) await this.watched(() => this.story.play(this.on, this.begun));
    for (const window of this.windows) {
      this.problems.push(...window.problems);
      await window.close();
    }
    console.log(`${this.passed() ? "ok  " : "FAIL"} ${this.name} (${this.size}) ${((Date.now() - started) / 1000).toFixed(1)} s`);
    for (const problem of new Set(this.problems)) console.log(`     ${problem}`);
  }

  async watched(act) {
    try {
      await act();
    } catch (error) {
      this.problems.push(`${this.name} (${this.size}): ${error.stack.split("\n").slice(0, 4).join("\n    ")}`);
      for (const window of this.windows) {
        this.problems.push(`    at ${window.page.url()}: ${(await window.page.locator("main").innerText().catch(() => "")).slice(0, 300)}`);
        await window.shoot("FAILED").catch(() => {});
      }
    }
  }

  passed() {
    return this.problems.length === 0;
  }
}

const stories = [];
for (const name of names) {
  const story = await import(`./stories/${name}.mjs`);
  for (const size of Object.keys(sizes)) stories.push(new Played(story, name, size));
}
// Those that begin before the others go on after them.
const early = stories.filter((one) => one.story.begin);
for (const one of early) await one.begin();
for (const one of [...stories.filter((one) => !one.story.begin), ...early]) await one.play();
const failed = stories.filter((one) => !one.passed()).length;
await browser.close();
console.log("\nserver time of pages, milliseconds (median of n):");
for (const [path, times] of [...figures.times].sort()) {
  times.sort((one, other) => one - other);
  console.log(`  ${times[Math.floor(times.length / 2)].toFixed(1).padStart(8)}  n ${String(times.length).padStart(3)}  ${path}`);
}
console.log("\nfirst visits, KiB over the wire, the heaviest:");
for (const [path, bytes] of [...figures.weights].sort((one, other) => other[1] - one[1]).slice(0, 12)) {
  console.log(`  ${(bytes / 1024).toFixed(1).padStart(8)}  ${path}`);
}
console.log(failed === 0 ? "pages: passed" : `pages: ${failed} FAILED`);
process.exit(failed === 0 ? 0 : 1);
