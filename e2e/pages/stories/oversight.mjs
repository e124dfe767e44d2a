// A node operator endorses a newcomer with its own key; the regulator looks at members and the use of records, suspends a
// member and lets it act again; insurer and treasury do their part. [A10, A27-A29, A68, A71]
import { key } from "../acts.mjs";
import { expect } from "../browser.mjs";
import { enter, follow, pick } from "../keyboard.mjs";

export async function play({ accounts, open, size }) {
  // An operator endorses a newcomer once: each width has an operator of its own.
  const operator = await open();
  await operator.signInWithKey(key(accounts, size === "phone" ? "chamber" : "hillcrest", "operator.json"));
  const waiting = operator.page.locator("#pending .medshare-list > li");
  const before = Number(/(\d+) endorsement/.exec(await waiting.first().innerText())?.[1]);
  await operator.press("Endorse", waiting.first());
  await operator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await operator.look();
  // On a system where an earlier run has endorsed already, the ledger refuses a second time, and the page says so.
  operator.mistakes = true;
  await operator.press("Sign and submit");
  operator.mistakes = false;
  const refused = operator.page.getByText("That is not possible any more");
  await operator.page.getByText("Done", { exact: true }).or(refused).first().waitFor({ timeout: 30_000 });
  if ((await refused.count()) === 0) {
    const after = await waiting.first().innerText().catch(() => "");
    expect(after === "" || after.includes(`${before + 1} endorsement`), "the endorsement counts");
  }
  await operator.look("endorsed");
  const regulator = await open();
  await regulator.signInWithKey(key(accounts, "regulator"));
  await regulator.go("/members?kind=Insurer");
  if ((await regulator.page.getByRole("button", { name: "Reinstate" }).count()) > 0) await change(regulator, "Reinstate");
  await change(regulator, "Suspend");
  expect((await regulator.page.getByText("Suspended").count()) > 0, "the insurer is suspended");
  await change(regulator, "Reinstate");
  await follow(regulator.page.getByRole("link", { name: "Revoke" }).first());
  await regulator.look("asks before revoking");
  for (const path of ["/use", "/use?basis=emergency", "/anomalies"]) await regulator.go(path);
  await exports_(regulator);
  await review(regulator, accounts, open);
  await regulator.go("/sweep");
  await regulator.press("Check every record");
  await regulator.page.getByText("Records checked").waitFor({ timeout: 60_000 });
  await regulator.look("swept");

  const insurer = await open();
  await insurer.signInWithKey(key(accounts, "mutual"));
  for (const path of ["/insurance/claims", "/insurance/audit", "/insurance/coverage", "/research/search", "/account"]) await insurer.go(path);
  await rules(insurer);
  const treasury = await open();
  await treasury.signInWithKey(key(accounts, "treasury"));
  await treasury.go("/treasury");
}

/** The regulator signs a change of the insurer's standing; the list of insurers is open then. */
async function change(regulator, name) {
  await regulator.press(name, regulator.page.locator("main"));
  await regulator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await regulator.press("Sign and submit");
  await regulator.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await regulator.go("/members?kind=Insurer");
}

/** The views of a hospital as files: every line whole. */
async function exports_(regulator) {
  const { page } = regulator;
  await regulator.go("/use");
  await pick(page.getByLabel("Hospital"), "Lakeside Hospital");
  await regulator.press("Show", page.locator("main"));
  const fetched = async (name) => {
    const path = await page.getByRole("link", { name }).getAttribute("href");
    return (await page.request.get(new URL(path, regulator.portal).href)).text();
  };
  const lines = (await fetched("as a table (CSV)")).trim().split("\r\n");
  expect(lines.length > 1 && lines.every((line) => line.split(",").length === lines[0].split(",").length), "the table is whole");
  const events = (await fetched("as FHIR audit events")).trim().split("\n").map((line) => JSON.parse(line));
  expect(events.length === lines.length - 1 && events.every((event) => event.resourceType === "AuditEvent"), "as many audit events");
}

/** A doctor opens an emergency; the regulator sees it and its reason, and closes the review. */
async function review(regulator, accounts, open) {
  const doctor = await open();
  await doctor.signIn(accounts.people.find((account) => account.login === "doctor-lakeside"));
  const patient = await open();
  await patient.signIn(accounts.people[0]);
  await patient.go("/settings");
  const row = patient.page.locator(".nhsuk-summary-list__row").filter({ hasText: "Lakeside" });
  const id = (await row.locator("dd").innerText()).trim();
  const reason = `Unconscious on arrival, ${Date.now()}`;
  await doctor.go("/hospital/emergency");
  await pick(doctor.page.getByLabel("Hospital", { exact: true }), "Lakeside Hospital");
  await enter(doctor.page.getByLabel("Patient's ledger id"), id);
  await enter(doctor.page.getByLabel("Reason"), reason);
  await doctor.press("Open emergency access", doctor.page.locator("main"));
  await doctor.page.waitForURL(/\/hospital\/emergency\/.+/, { timeout: 30_000 });
  await doctor.look();
  await regulator.go("/reviews");
  await pick(regulator.page.getByLabel("Hospital"), "Lakeside Hospital");
  await regulator.press("Show", regulator.page.locator("main"));
  const card = regulator.page.locator("#reviews .medshare-list > li").filter({ hasText: reason });
  await card.waitFor();
  await regulator.look();
  await regulator.press("It was justified", card);
  await regulator.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await regulator.press("Sign and submit");
  await regulator.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  expect((await card.count()) === 0, "the review is no longer open");
  await pick(regulator.page.getByLabel("Which"), "All");
  await regulator.press("Show", regulator.page.locator("main"));
  await card.getByText("Justified", { exact: true }).waitFor();
  await regulator.look("closed");
}

/** The rules by version, what a claim would come to, and the next version. */
async function rules(insurer) {
  const { page } = insurer;
  await insurer.go("/insurance/rules");
  await enter(page.getByLabel("Charged"), "100.00");
  await insurer.press("Calculate", page.locator("main"));
  const [pays, patient] = (await page.locator(".medshare-panels .medshare-figure").allInnerTexts()).map((text) => Number(text.replace(/[^\d.]/g, "")));
  expect(Math.abs(pays + patient - 100) < 0.001, "insurer's and patient's part make the whole");
  await insurer.look("calculated");
  await insurer.go("/insurance/rules/publish");
  const before = await page.locator('input[name="Outpatient-percent"]').inputValue();
  await enter(page.locator('input[name="Outpatient-percent"]'), before === "70.00" ? "75.00" : "70.00");
  await insurer.press("Publish the next version", page.locator("main"));
  await page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await insurer.press("Sign and submit");
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await page.getByText(before === "70.00" ? "75 %" : "70 %").first().waitFor();
  await insurer.look("published");
}
