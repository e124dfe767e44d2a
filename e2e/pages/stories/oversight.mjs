// A node operator endorses a newcomer with its own key; the regulator looks at members and the use of records, suspends a
// member and lets it act again; insurer and treasury do their part. [A10, A27-A29, A68, A71]
import { expect } from "../browser.mjs";

const key = (accounts, slug, file = "member.json") => accounts.keys.find((name) => name.endsWith(`/${slug}/${file}`));

export async function play({ accounts, open }) {
  const operator = await open();
  await operator.signInWithKey(key(accounts, "chamber", "operator.json"));
  const endorse = operator.page.getByRole("button", { name: "Endorse" });
  if ((await endorse.count()) > 0) {
    await operator.press("Endorse");
    await operator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
    await operator.look();
    await operator.press("Sign and submit");
    await operator.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
    await operator.look("endorsed");
  }
  const regulator = await open();
  await regulator.signInWithKey(key(accounts, "regulator"));
  await regulator.go("/members?kind=Insurer");
  await regulator.press("Suspend", regulator.page.locator("main"));
  await regulator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await regulator.press("Sign and submit");
  await regulator.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await regulator.go("/members?kind=Insurer");
  expect((await regulator.page.getByText("Suspended").count()) > 0, "the insurer is suspended");
  await regulator.press("Reinstate", regulator.page.locator("main"));
  await regulator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await regulator.press("Sign and submit");
  await regulator.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await regulator.page.goto(new URL("/members?kind=Insurer", accounts.portal).href);
  await regulator.page.getByRole("link", { name: "Revoke" }).first().click();
  await regulator.look("asks before revoking");
  for (const path of ["/use", "/use?basis=emergency", "/sweep"]) await regulator.go(path);
  await regulator.press("Check every record");
  await regulator.page.getByText("Records checked").waitFor({ timeout: 60_000 });
  await regulator.look("swept");

  const insurer = await open();
  await insurer.signInWithKey(key(accounts, "mutual"));
  for (const path of ["/insurance/claims", "/insurance/claims?pended=yes", "/insurance/coverage", "/research/search", "/account"]) await insurer.go(path);
  const treasury = await open();
  await treasury.signInWithKey(key(accounts, "treasury"));
  await treasury.go("/treasury");
}
