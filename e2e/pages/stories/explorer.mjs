// The explorer: everything recorded is viewable by anyone, with its numbers and details, and verifies in the page; the page
// that needs no server verifies too. [A93, A94, A95]
import { readFile } from "node:fs/promises";
import { expect } from "../browser.mjs";
import { activate, attach, enter, follow } from "../keyboard.mjs";

export async function play({ accounts, open }) {
  const window = await open();
  const story = { window, page: window.page, portal: accounts.portal.replace(/\/$/, "") };
  await overview(story);
  await blocks(story);
  await transactions(story);
  await search(story);
  await nodes(story);
  await checkpoint(story);
  await verification(story);
}

const number = async (page, selector) => Number((await page.locator(selector).innerText()).replace(/\D/g, ""));
const here = (page) => new URL(page.url()).pathname;

/** A94: the numbers of nodes and blocks; blocks appear as they come. */
async function overview({ window, page }) {
  await window.go("/explorer");
  expect(/^\d+ of \d+$/.test(await page.locator("#figure-nodes").innerText()), "the number of nodes is shown");
  const before = await number(page, "#figure-blocks");
  const newest = await number(page, "#latest-blocks li:first-child .explorer-tile__height");
  await page.locator("#plot canvas").waitFor();
  await window.look("chart");
  await page.waitForFunction((height) => Number(document.querySelector("#latest-blocks li").dataset.height) > height, newest, { timeout: 45_000 });
  expect((await number(page, "#figure-blocks")) > before, "the number of blocks grows as blocks come");
  await activate(page.locator('[data-range="day"]'));
  await page.locator('[data-range="day"][aria-pressed="true"]').waitFor();
}

/** A93, A95: a block with its header, certificate, tree and transactions. */
async function blocks({ window, page }) {
  await window.go("/explorer/blocks?full=yes");
  await follow(page.locator("table a").first());
  await page.waitForURL(/\/explorer\/blocks\/\d+$/);
  for (const name of ["Header", "Certificate", "Merkle tree of the transactions", "Transactions"]) {
    await page.getByRole("heading", { name, exact: true }).waitFor();
  }
  expect((await page.locator(".explorer-tree rect").count()) > 0, "the tree is drawn");
  await window.look();
  await window.go("/explorer/blocks/0");
  await page.getByText("The genesis block needs no certificate").waitFor();
  await window.go("/explorer/blocks?height=3");
  expect((await page.locator("tbody tr").count()) === 4, "blocks at or below a height are listed");
}

/** A95: a transaction with its events, its proof that verifies in the page and not when forged, and its phases. */
async function transactions({ window, page }) {
  await window.go("/explorer/transactions");
  await follow(page.locator(".explorer-entry__name").first());
  await page.locator(".verify__verdict--holds").waitFor();
  expect((await page.locator(".verify__step--held").count()) === 9, "every step of the verification holds");
  expect((await page.locator(".explorer-phases__row").count()) > 0, "replicas tell when it went through the phases");
  await window.look();
  await activate(page.getByRole("button", { name: "Try a forged copy" }));
  await page.locator(".verify__verdict--fails").waitFor();
  await window.look("forged");
}

async function seek({ page, window }, text, place) {
  await window.go("/explorer");
  await enter(page.locator("#q"), text);
  await activate(page.locator("#q"));
  await page.waitForURL((url) => url.pathname !== "/explorer");
  expect(here(page) === place, `${text} leads to ${place}, not to ${here(page)}`);
}

/** Search leads to what a number names. */
async function search(story) {
  const { window, page } = story;
  await window.go("/explorer/transactions?kind=2-0");
  const transaction = (await page.locator(".explorer-entry__name").first().getAttribute("href")).split("/").pop();
  await seek(story, transaction, `/explorer/transactions/${transaction}`);
  const record = (await page.locator('a[href^="/explorer/records/"]').first().innerText()).trim();
  await seek(story, record, `/explorer/records/${record}`);
  expect((await page.locator("#record-transactions li").count()) > 0, "a record's transactions are listed");
  await window.look();
  await seek(story, "1", "/explorer/blocks/1");
  const hash = (await page.locator(".explorer-fields > div", { hasText: "Hash" }).first().locator("dd").innerText()).trim();
  await seek(story, hash, "/explorer/blocks/1");
  window.mistakes = true;
  await seek(story, "no such thing", "/explorer/search");
  await page.getByText("No block, transaction or record").waitFor();
  await window.look();
  window.mistakes = false;
}

async function nodes({ window, page }) {
  await window.go("/explorer/nodes");
  expect((await page.locator("tbody tr").count()) >= 4, "every node is shown");
}

async function checkpoint({ window, page }) {
  await window.go("/explorer/checkpoint");
  const note = await page.locator(".explorer-pre").first().innerText();
  expect(/^medshare\/[0-9a-f]{64}\n\d+\n[A-Za-z0-9+/]{43}=\n\n— medshare/.test(note), "the checkpoint is a signed note");
  await enter(page.locator("#first"), "3");
  await activate(page.locator("#first"));
  await page.getByText("starts with the same 3 blocks").waitFor();
  await window.look("proven");
}

/** Receipts verify from files, in the portal and in the page that needs no server; a forged one is red in both. */
async function verification({ window, page, portal }) {
  await window.go("/explorer/transactions");
  const id = (await page.locator(".explorer-entry__name").first().getAttribute("href")).split("/").pop();
  const get = async (path) => (await page.request.get(`${portal}${path}`)).body();
  const [receipt, genesis] = [await get(`/receipts/${id}/file`), await get("/explorer/genesis")];
  const file = JSON.parse(receipt);
  const at = Math.floor(file.bytes.length / 2);
  const other = file.bytes[at] === "A" ? "B" : "A";
  const forged = Buffer.from(JSON.stringify({ ...file, bytes: file.bytes.slice(0, at) + other + file.bytes.slice(at + 1) }));
  const upload = (name, buffer) => ({ name, mimeType: "application/json", buffer });
  const tryBoth = async () => {
    await attach(page.locator("#genesis"), upload("genesis.json", genesis));
    await attach(page.locator("#receipt"), upload("receipt.json", receipt));
    await page.locator(".verify__verdict--holds").waitFor();
    await window.look("holds");
    await attach(page.locator("#receipt"), upload("forged.json", forged));
    await page.locator(".verify__verdict--fails").waitFor();
    await window.look("fails");
  };
  await window.go("/verify");
  await tryBoth();
  const downloading = page.waitForEvent("download");
  await activate(page.getByRole("button", { name: "Download the offline page" }));
  const html = await readFile(await (await downloading).path(), "utf8");
  expect(!/(?:src|href)\s*=/.test(html.split("<script>")[0]), "the offline page loads nothing");
  await window.context.setOffline(true);
  await page.goto("about:blank");
  await page.setContent(html);
  await tryBoth();
  await window.context.setOffline(false);
}
