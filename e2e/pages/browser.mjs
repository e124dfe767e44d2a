// One browser for all stories: what each page is checked for, whatever the story does on it.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { attach, enter, follow } from "./keyboard.mjs";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** What the first visit of a page may cost, in bytes over the wire: everything that it loads, compressed. */
const WEIGHT_MAX = 200 * 1024;

/** Both widths of every story. */
export const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

export async function launch() {
  return chromium.launch({
    executablePath: process.env.MEDSHARE_CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--lang=en"],
  });
}

/** A browser window of one size for one story; everything it sees is checked. */
export class Window {
  constructor(story, size, portal, figures) {
    Object.assign(this, { story, size, portal, figures, problems: [], shots: 0, loads: new Map() });
  }

  static async open(browser, story, size, portal, figures, locale = "en-GB") {
    const window = new Window(story, size, portal, figures);
    // axe-core is injected; the pages themselves are served with their policy in force, which a test of its own shows.
    window.context = await browser.newContext({ viewport: sizes[size], locale, bypassCSP: false });
    window.page = await window.context.newPage();
    await window.page.addInitScript(() => {
      globalThis.swaps = [];
      addEventListener("htmx:afterSwap", () => globalThis.swaps.push(performance.now()), true);
    });
    window.watch();
    await window.weigh();
    return window;
  }

  watch() {
    const host = new URL(this.portal).host;
    const problem = (what) => this.problems.push(`${this.story} (${this.size}): ${what}`);
    this.page.on("console", (message) => {
      if (message.type() === "error" && !this.expected(message.text())) problem(`console: ${message.text()}`);
    });
    this.page.on("pageerror", (error) => problem(`script: ${error.message}`));
    this.page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.host !== host) problem(`asked another host: ${request.url()}`);
    });
    this.page.on("response", (response) => this.time(response));
  }

  /** A form with mistakes and a refused page answer with a status that the browser reports: that is meant. */
  expected(text) {
    return /(status of|Status Error Code) (422|403|404|409)/.test(text) && this.mistakes;
  }

  /** Notes what each page loads, and how many bytes each of it took when it came over the wire. */
  async weigh() {
    const network = await this.context.newCDPSession(this.page);
    await network.send("Network.enable");
    const under = new Map();
    network.on("Network.requestWillBeSent", ({ requestId, request, type }) => {
      if (type === "Document") this.loads = new Map();
      if (!["EventSource", "Fetch", "XHR"].includes(type)) under.set(requestId, [request.url, this.loads.set(request.url, 0)]);
    });
    network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      const [url, loads] = under.get(requestId) ?? [];
      if (!url) return;
      const { bytes } = this.figures;
      bytes.set(url, Math.max(encodedDataLength, bytes.get(url) ?? 0));
      loads.set(url, encodedDataLength);
    });
  }

  /** What the page that is open costs whoever comes first to it: what came from the cache counts as it came before. */
  weight() {
    const { bytes } = this.figures;
    return [...this.loads].reduce((sum, [url, now]) => sum + Math.max(now, bytes.get(url) ?? 0), 0);
  }

  time(response) {
    const timing = response.headers()["server-timing"];
    const request = response.request();
    if (!timing || request.resourceType() !== "document" || request.method() !== "GET") return;
    const took = Number(/dur=([\d.]+)/.exec(timing)?.[1]);
    const path = plain(response.url());
    const { times } = this.figures;
    if (!times.has(path)) times.set(path, []);
    times.get(path).push(took);
  }

  async go(path) {
    await this.page.goto(new URL(path, this.portal).href, { waitUntil: "load" });
    await this.look();
  }

  /** Checks the page that is open: accessibility, cut content, movement, weight; and takes a picture where pictures are wanted. */
  async look(name) {
    const page = this.page;
    const found = await page.evaluate(`${axe}; axe.run(document, { runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"] })
      .then((result) => result.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")))`);
    const path = new URL(page.url()).pathname;
    for (const violation of found) this.problems.push(`${this.story} (${this.size}) ${path}: axe ${violation}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1);
    if (wide) this.problems.push(`${this.story} (${this.size}) ${path}: wider than the window`);
    for (const moved of await page.evaluate(shifts)) this.problems.push(`${this.story} (${this.size}) ${path}: moves: ${moved}`);
    const weight = this.weight();
    const { weights } = this.figures;
    weights.set(plain(page.url()), Math.max(weight, weights.get(plain(page.url())) ?? 0));
    if (weight > WEIGHT_MAX) this.problems.push(`${this.story} (${this.size}) ${path}: ${weight} bytes on the first visit`);
    await this.shoot(name ?? path);
  }

  async shoot(name) {
    const folder = process.env.MEDSHARE_SCREENSHOTS;
    if (!folder) return;
    const directory = join(folder, this.size);
    mkdirSync(directory, { recursive: true });
    this.shots += 1;
    const file = `${this.story}-${String(this.shots).padStart(2, "0")}-${name.replace(/[0-9a-f]{32,}/g, "x").replace(/[^a-z0-9]+/gi, "_").slice(0, 50)}.png`;
    await this.page.screenshot({ path: join(directory, file), fullPage: true });
  }

  /** Presses a button by its name, and waits for the page that it leads to. */
  async press(name, within = this.page) {
    await follow(within.getByRole("button", { name, exact: false }).first());
  }

  async signIn(account) {
    await this.go("/sign-in");
    await enter(this.page.getByLabel("User name"), account.login);
    await enter(this.page.getByLabel("Password", { exact: true }), account.password);
    await this.page.keyboard.press("Enter");
    await this.page.waitForURL((url) => !url.pathname.startsWith("/sign-in"), { timeout: 30_000 });
    await this.look();
  }

  async signInWithKey(file) {
    await this.go("/sign-in/key");
    await attach(this.page.locator("input[type=file]"), file);
    await this.press("Sign in", this.page.locator("main"));
    await this.page.waitForURL((url) => !url.pathname.startsWith("/sign-in"), { timeout: 30_000 });
    await this.look();
  }

  async close() {
    await this.context.close();
  }
}

/** What the stories together find out about pages. */
export class Figures {
  /** Server time by path, in milliseconds. */
  times = new Map();
  /** Bytes over the wire by address. */
  bytes = new Map();
  /** Bytes of a first visit by path. */
  weights = new Map();
}

/** An address without what names one record, patient or transaction. */
function plain(url) {
  return new URL(url).pathname.replace(/[0-9a-f]{32,}/g, "*").replace(/\/\d+$/, "/*");
}

/** In the page: what moved by itself while it loaded; what the ledger changes in a living region is news. */
function shifts() {
  const seen = new PerformanceObserver(() => {});
  seen.observe({ type: "layout-shift", buffered: true });
  const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
  const element = ({ node }) => (node?.nodeType === 1 ? node : node?.parentElement);
  const isLiving = (source) => element(source)?.parentElement?.closest("[data-live], [data-tail], #latest-transactions");
  const isNews = (one) => one.sources.every(isLiving) || globalThis.swaps.some((at) => Math.abs(one.startTime - at) < 200);
  const name = (source) => [element(source)?.localName, element(source)?.id, element(source)?.className].filter(Boolean).join(".");
  return seen.takeRecords().filter((one) => !one.hadRecentInput && one.value > 0.001 && one.startTime < loaded + 1_000 && !isNews(one))
    .map((one) => `${one.value.toFixed(4)} ${one.sources.map(name).join(", ")}`);
}

/** Ends the story when something is not as it should be. */
export function expect(holds, what) {
  if (!holds) throw new Error(`not so: ${what}`);
}
