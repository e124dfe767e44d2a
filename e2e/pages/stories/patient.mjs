// A patient looks at everything that is theirs, opens a record and its proof, shares it by code, and decides. [A43, A44, A64, A87, A88]
import { expect } from "../browser.mjs";

export async function play({ accounts, open }) {
  const window = await open();
  const { page } = window;
  await window.signIn(accounts.people[0]);
  expect(page.url().endsWith("/records"), "a patient begins with their records");
  const hospitals = await page.locator(".medshare-when").allInnerTexts();
  for (const name of ["Lakeside", "Hillcrest"]) {
    expect(hospitals.some((text) => text.includes(name)), `records of ${name} are in the one list`);
  }
  await window.press("Open", page.locator("main"));
  await page.waitForURL(/\/records\/viewed\//);
  await window.look();
  const opened = page.url();
  await page.getByText("Verified").waitFor();
  // Back and forward again, and reload: the record stays open and no further view is recorded.
  await page.reload();
  expect(page.url() === opened, "reloading shows the same view");
  await page.getByRole("link", { name: "See the proof" }).click();
  await page.getByText("They are the same").waitFor();
  await window.look();
  await page.goBack();
  await page.getByRole("link", { name: "See the receipt" }).click();
  await page.getByText("Accepted").waitFor();
  await window.look();
  const download = page.waitForEvent("download");
  await page.locator("main").getByRole("button", { name: "Download the receipt" }).click();
  const receipt = await (await download).createReadStream();
  expect(receipt !== null, "the receipt is a file");
  await page.goto(opened);
  await page.getByRole("button", { name: "Share this record with a code" }).click();
  await page.waitForURL(/\/records\/code\//);
  await window.look();
  const code = await page.locator(".medshare-code").first().innerText();
  await page.getByLabel("Once").check();
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
  await window.press("Sign out");
  await page.getByText("You have signed out").waitFor();
  await window.look();
  await page.goto(opened);
  expect(page.url().includes("/sign-in"), "after signing out nothing is shown");
}
