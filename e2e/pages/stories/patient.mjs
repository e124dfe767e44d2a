// A patient looks at everything that is theirs, opens a record and its proof, shares it by code, and decides. [A43, A44, A64, A87, A88]
import { expect } from "../browser.mjs";
import { activate, choose, follow } from "../keyboard.mjs";

export async function play({ accounts, open }) {
  const window = await open();
  const { page } = window;
  await window.signIn(accounts.people[0]);
  expect(page.url().endsWith("/records"), "a patient begins with their records");
  const hospitals = await page.locator(".medshare-when").allInnerTexts();
  for (const name of ["Lakeside", "Hillcrest"]) {
    expect(hospitals.some((text) => text.includes(name)), `records of ${name} are in the one list`);
  }
  // The demo has edited one record behind the ledger's back: that one is not shown, and another is read.
  let opened;
  for (let place = 0; !opened; place += 1) {
    await page.goto(new URL("/records", accounts.portal).href);
    const button = page.locator("main").getByRole("button", { name: "Open" }).nth(place);
    await Promise.all([page.waitForURL(/\/records\/viewed\//, { timeout: 60_000 }), activate(button)]);
    if ((await page.getByText("Verified").count()) > 0) opened = page.url();
    else expect((await page.getByText("no longer matches the ledger").count()) > 0, "a record is verified or not shown");
    await window.look(opened ? undefined : "altered");
  }
  // Back and forward again, and reload: the record stays open and no further view is recorded.
  await page.reload();
  expect(page.url() === opened, "reloading shows the same view");
  await follow(page.getByRole("link", { name: "See the proof" }));
  await page.getByText("They are the same").waitFor();
  await window.look();
  await page.goBack();
  await follow(page.getByRole("link", { name: "See the receipt" }));
  await page.getByText("Accepted").waitFor();
  await window.look();
  const download = page.waitForEvent("download");
  await activate(page.locator("main").getByRole("button", { name: "Download the receipt" }));
  const receipt = await (await download).createReadStream();
  expect(receipt !== null, "the receipt is a file");
  await page.goto(opened);
  await follow(page.getByRole("button", { name: "Share this record with a code" }));
  await page.waitForURL(/\/records\/code\//);
  await window.look();
  const code = await page.locator(".medshare-code").first().innerText();
  await choose(page.getByLabel("Once"));
  await window.press("Change the code");
  await page.getByText("Done", { exact: true }).waitFor();
  await window.look("code changed");
  expect((await page.locator(".medshare-code").first().innerText()) !== code, "the code is a new one");
  for (const path of ["/requests", "/history", "/views", "/views?all=yes", "/account", "/devices", "/devices/add", "/devices/limits", "/settings"]) {
    await window.go(path);
  }
  await window.go("/settings");
  const research = page.getByLabel(/^Research may find/).first();
  const before = await research.isChecked();
  await research.setChecked(!before);
  await window.press("Save");
  await page.getByText("Done", { exact: true }).waitFor();
  expect((await page.getByLabel(/^Research may find/).first().isChecked()) === !before, "the consent is kept");
  await page.getByLabel(/^Research may find/).first().setChecked(before);
  await window.press("Save");
  await page.getByText("Done", { exact: true }).waitFor();
  await sessions(window, open, accounts);
  await downloads(window);
  await devices(window);
  await erasure(window);
  await inChinese(window);
  await window.press("Sign out");
  await page.getByText("You have signed out").waitFor();
  await window.look();
  await page.goto(opened);
  expect(page.url().includes("/sign-in"), "after signing out nothing is shown");
}

/** Another browser's session is seen, ended, and then opens nothing. */
async function sessions(window, open, accounts) {
  const other = await open();
  await other.signIn(accounts.people[0]);
  await window.go("/settings");
  await follow(window.page.getByRole("link", { name: "Where you are signed in" }));
  await window.look();
  const before = await window.page.getByRole("button", { name: "End it" }).count();
  expect(before >= 1, "the other session is listed");
  await window.press("End it", window.page.locator("main"));
  await window.page.getByText("The session is ended").waitFor();
  await window.look("ended");
  expect((await window.page.getByRole("button", { name: "End it" }).count()) === before - 1, "it is listed no more");
  await other.page.goto(new URL("/records", window.portal).href);
  expect(other.page.url().includes("/sign-in"), "the ended session is asked to sign in");
}

/** Everything as one FHIR file; opening it is on the ledger as a view of the patient's own. */
async function downloads(window) {
  const { page } = window;
  await window.go("/settings/download");
  const coming = page.waitForEvent("download", { timeout: 60_000 });
  await activate(page.locator("main").getByRole("button", { name: "Download" }));
  const chunks = [];
  for await (const chunk of await (await coming).createReadStream()) chunks.push(chunk);
  const bundle = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  expect(bundle.resourceType === "Bundle" && bundle.entry.length > 1, "the file is a FHIR Bundle of records");
  expect(bundle.entry.some((entry) => entry.resource.resourceType === "Bundle"), "records are whole");
  await window.go("/views?all=yes");
  await page.getByText("You", { exact: true }).first().waitFor();
}

/** A connected device can be disconnected: the page asks first. */
async function devices(window) {
  const { page } = window;
  await window.go("/devices");
  const links = page.getByRole("link", { name: "Disconnect" });
  if ((await links.count()) === 0) return;
  await follow(links.first());
  await window.look();
  await activate(page.getByRole("button", { name: "Cancel" }));
  await page.waitForURL(/\/devices$/);
  expect((await links.count()) > 0, "nothing happened without a yes");
}

/** Erasing asks twice, and the record is gone. */
async function erasure(window) {
  const { page } = window;
  await window.go("/records");
  const button = page.locator("main").getByRole("button", { name: "Open" }).last();
  await Promise.all([page.waitForURL(/\/records\/viewed\//, { timeout: 60_000 }), activate(button)]);
  await follow(page.getByRole("link", { name: "Erase this record" }));
  const record = page.url().split("/").pop();
  await window.look();
  window.mistakes = true;
  await window.press("Erase for good", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("erase unsure");
  window.mistakes = false;
  await choose(page.getByLabel("Yes, I understand"));
  await window.press("Erase for good", page.locator("main"));
  await page.getByText("The record is erased").waitFor({ timeout: 30_000 });
  await window.look("erased");
  for (let path = "/records"; path; ) {
    await page.goto(new URL(path, window.portal).href);
    expect((await page.locator(`input[name=record][value="${record}"]`).count()) === 0, "an erased record is not listed");
    path = await page.getByRole("button", { name: "Show more" }).getAttribute("href", { timeout: 500 }).catch(() => null);
  }
}

/** Every page of the patient in Chinese; nothing of the warnings stays English. */
async function inChinese(window) {
  const { page } = window;
  await window.press("中文");
  for (const path of ["/records", "/requests", "/history", "/views", "/account", "/devices", "/settings", "/sessions", "/settings/download"]) {
    await window.go(path);
    await window.shoot(`chinese ${path}`);
  }
  await window.go("/devices");
  for (const title of await page.locator("#warnings .medshare-list h3").allInnerTexts()) {
    expect(/\p{Script=Han}/u.test(title), `a warning is in Chinese: ${title}`);
  }
  await window.press("English");
}
