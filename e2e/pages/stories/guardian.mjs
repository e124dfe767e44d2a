// A patient names a guardian, who opens a record for them under their own name; when the patient ends it, the page that the
// guardian has open goes away by itself. [issue 5: delegation]
import { expect } from "../browser.mjs";

export async function play({ accounts, open, size }) {
  const [patient, guardian] = pair(accounts, size);
  const window = await open();
  const { page } = window;
  await window.signIn(patient);
  await window.go("/settings");
  await page.getByRole("link", { name: "Guardians" }).click();
  await window.look("none");
  await page.getByRole("button", { name: "Name a guardian" }).click();
  await window.look();
  window.mistakes = true;
  await window.press("Name a guardian", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("nothing entered");
  await fill(page, accounts.patient_ids[guardian.login], "Somebody Else");
  await window.press("Name a guardian", page.locator("main"));
  await page.getByText("Nobody is enrolled with this patient ID").first().waitFor();
  await window.look("wrong name");
  window.mistakes = false;
  await fill(page, accounts.patient_ids[guardian.login], guardian.name);
  await window.press("Name a guardian", page.locator("main"));
  await page.getByText("They are named").waitFor({ timeout: 60_000 });
  await page.getByText(guardian.name).first().waitFor();
  await window.look("named");

  const other = await open();
  await other.signIn(guardian);
  const link = other.page.getByRole("link", { name: `Records of ${patient.name}` }).first();
  // The endorsement of the guardian's ledger id comes by itself.
  for (let tries = 0; (await link.count()) === 0; tries += 1) {
    expect(tries < 100, "the guardian may act");
    await other.page.waitForTimeout(300);
    await other.page.goto(new URL("/guardians", accounts.portal).href);
  }
  await other.look("held");
  await link.click();
  await other.page.getByText(`You are acting for ${patient.name}`).first().waitFor();
  await other.look();
  const records = other.page.url();
  await other.press("Open", other.page.locator("#records"));
  await other.page.waitForURL(/\/viewed\//, { timeout: 60_000 });
  await other.look();
  expect((await other.page.getByRole("button", { name: "Share this record with a code" }).count()) === 0, "a guardian is offered no code");
  const viewed = other.page.url();
  await other.page.goto(records.replace(/records$/, "views"));
  await other.page.getByText("A patient's guardian").first().waitFor();
  await other.look();
  await other.go(new URL(records.replace(/records$/, "requests")).pathname);
  await other.press("中文");
  await other.look("in Chinese");
  await other.press("English");
  await other.page.goto(records);

  await window.go("/views");
  await page.getByText("A guardian you named").first().waitFor();
  await page.getByText(guardian.name).first().waitFor();
  await window.look("the guardian's view");
  await window.go("/guardians");
  other.mistakes = true;
  await window.press("End it", page.locator("main"));
  await page.getByText("It is ended").waitFor({ timeout: 60_000 });
  await window.look("ended");
  // The list that the guardian has open is gone by itself; what was opened before opens no more.
  await other.page.waitForFunction(() => !document.getElementById("records"), null, { timeout: 30_000 });
  await other.look("no longer");
  await other.page.goto(viewed);
  expect((await other.page.locator("main").innerText()).includes("You can't see or do this"), "what was opened is closed");
}

/** Who names whom: others in each width, so that both begin with nothing. */
function pair(accounts, size) {
  const patients = accounts.people.filter((person) => person.role === "Patient");
  const seen = new Map(patients.map((person) => [person.login, person]));
  const each = [...seen.values()];
  return size === "phone" ? [each[0], each[3]] : [each[0], each[4]];
}

async function fill(page, patientId, name) {
  await page.getByLabel("Their patient ID").fill(patientId);
  await page.getByLabel("Their name").fill(name);
  await page.getByRole("group", { name: "For your records at" }).getByRole("radio").first().check();
  await page.getByLabel("Both", { exact: true }).check();
  await page.getByLabel("30 days").check();
}
