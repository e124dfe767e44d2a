// A hospital's staff look at what the hospital generated, who acts for it, and whether its records are whole. [A48, A89]
import { expect } from "../browser.mjs";
import { enter, follow } from "../keyboard.mjs";

export async function play({ accounts, open }) {
  const window = await open();
  await window.signInWithKey(accounts.keys.find((name) => name.endsWith("/lakeside/member.json")));
  for (const path of ["/hospital/requests", "/hospital/requests?all=yes", "/hospital/records", "/hospital/people", "/hospital/integrity", "/account"]) {
    await window.go(path);
  }
  await window.go("/hospital/records");
  await follow(window.page.getByRole("link", { name: "Code", exact: true }).first());
  await window.look();
  const code = await window.page.locator(".medshare-code").first().innerText();
  await window.press("Change the code");
  await window.page.getByText("Done", { exact: true }).waitFor();
  expect((await window.page.locator(".medshare-code").first().innerText()) !== code, "the hospital's code is a new one");
  await window.go("/me");
  await window.go("/sessions");
  await window.go("/hospital/integrity");
  await window.press("Check every record now");
  await window.page.getByText("Records checked").waitFor({ timeout: 60_000 });
  await window.look("checked");
  window.mistakes = true;
  await window.go("/hospital/people");
  await enter(window.page.getByLabel("Doctor's ledger id"), "nobody");
  await window.press("Record", window.page.locator("main"));
  await window.page.waitForSelector(".nhsuk-error-summary");
  await window.look("no such doctor");
}
