// An institution searches and applies, a hospital approves, and the patient sees it at once on the open page and agrees; the
// institution reads what was released; the permission is ended. [A51, A53-A60, A64-A66, A87-A89, A91]
import { expect } from "../browser.mjs";

const key = (accounts, slug, file = "member.json") => accounts.keys.find((name) => name.endsWith(`/${slug}/${file}`));

export async function play({ accounts, open }) {
  // Which records are whose: a patient's own page names them.
  const patient = await open();
  await patient.signIn(accounts.people[0]);
  const own = new Set();
  for (let path = "/records"; path; ) {
    await patient.page.goto(new URL(path, accounts.portal).href);
    for (const value of await patient.page.locator("input[name=record]").evaluateAll((all) => all.map((one) => one.value))) own.add(value);
    path = await patient.page.getByRole("button", { name: "Show more" }).getAttribute("href").catch(() => null);
    if (own.size > 200) break;
  }
  await patient.go("/requests");
  const before = await patient.page.locator("#requests .medshare-list > li").count();

  const institute = await open();
  await institute.signInWithKey(key(accounts, "institute"));
  await institute.page.getByLabel("Disease").fill("40055000");
  await institute.press("Search", institute.page.locator("main"));
  await institute.page.getByText("Patients found").waitFor();
  await institute.look("found");
  for (const box of await institute.page.locator("input[name=handles]").all()) await box.check();
  await institute.press("Apply for the chosen records");
  await institute.page.getByLabel("Say in plain words what for").fill("A study of what helps against chronic sinusitis.");
  await institute.page.getByLabel("Offered to the patient for each record").fill("1.00");
  await institute.look("basket");
  await institute.press("Apply", institute.page.locator("main"));
  await institute.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await institute.look();
  await institute.press("Sign and submit");
  await institute.page.waitForURL(/\/research\/applications/, { timeout: 30_000 });
  await institute.look();

  // The hospital approves an item of this patient; the patient's open page shows it without being touched.
  let approved = false;
  for (const slug of ["lakeside", "hillcrest"]) {
    const hospital = await open();
    await hospital.signInWithKey(key(accounts, slug));
    const links = await hospital.page.locator("#requests .medshare-list a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
    for (const link of links) {
      await hospital.page.goto(new URL(link, accounts.portal).href);
      const text = await hospital.page.locator("main").innerText();
      if (![...own].some((number) => text.includes(number))) continue;
      await hospital.look();
      await hospital.press("Approve");
      await hospital.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
      await hospital.look("approved");
      approved = true;
      break;
    }
    if (approved) break;
  }
  if (!approved) {
    console.log("     this patient has no record among those found: the decision is not played");
    return;
  }
  await patient.page.waitForFunction((count) => document.querySelectorAll("#requests .medshare-list > li").length > count, before, { timeout: 10_000 });
  await patient.look("a request came in");
  await patient.page.locator("#requests .medshare-list a").first().click();
  await patient.page.getByText("If you agree").waitFor();
  await patient.look();
  await patient.press("Agree and share");
  await patient.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await patient.look("agreed");

  await institute.go("/research/released");
  await institute.page.locator("#released .medshare-list > li").first().waitFor({ timeout: 30_000 });
  await institute.look("released");
  await institute.press("Read", institute.page.locator("main"));
  await institute.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await institute.press("Sign and submit");
  await institute.page.waitForURL(/\/research\/released\//, { timeout: 30_000 });
  await institute.page.getByText("exactly what the hospital committed to").waitFor({ timeout: 30_000 });
  await institute.look("opened");
  await institute.go("/account");

  await patient.go("/history");
  await patient.page.locator("#history .medshare-list a").first().click();
  await patient.look();
  await patient.page.getByRole("button", { name: "End this permission" }).click();
  await patient.look();
  await patient.press("End this permission");
  await patient.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await patient.go("/account");
}
