// A patient names a guardian, who opens a record for them under their own name; when the patient ends it, the page that the
// guardian has open goes away by itself. [issue 5: delegation]
import { fillGuardian, linkOf, patientsOf } from "../acts.mjs";
import { expect } from "../browser.mjs";
import { follow } from "../keyboard.mjs";

export async function play({ accounts, open, size }) {
  const [patient, guardian] = pair(accounts, size);
  const window = await open();
  const { page } = window;
  await window.signIn(patient);
  await window.go("/settings");
  await follow(page.getByRole("link", { name: "Guardians" }));
  await window.look("none");
  await follow(page.getByRole("button", { name: "Name a guardian" }));
  await window.look();
  window.mistakes = true;
  await window.press("Name a guardian", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("nothing entered");
  const id = accounts.patient_ids[guardian.login];
  const hospital = "Lakeside Hospital";
  await fillGuardian(page, { hospital, id, name: "Somebody Else", scope: "Both" });
  await window.press("Name a guardian", page.locator("main"));
  await page.getByText("Nobody is enrolled with this patient ID").first().waitFor();
  await window.look("wrong name");
  window.mistakes = false;
  await fillGuardian(page, { hospital, id, name: guardian.name, scope: "Both" });
  await window.press("Name a guardian", page.locator("main"));
  await page.getByText("They are named").waitFor({ timeout: 60_000 });
  await page.getByText(guardian.name).first().waitFor();
  await window.look("named");

  const other = await open();
  await other.signIn(guardian);
  const link = await linkOf(other, hospital, `Records of ${patient.name}`);
  await other.look("held");
  await follow(link);
  await other.page.getByText(`You are acting for ${patient.name}`).first().waitFor();
  await other.look();
  const records = other.page.url();
  await other.press("Open", other.page.locator("#records"));
  await other.page.waitForURL(/\/viewed\//, { timeout: 60_000 });
  await other.page.getByText(`You are acting for ${patient.name}`).first().waitFor();
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
  await window.press("End it", page.locator(".medshare-list > li").filter({ hasText: guardian.name }).filter({ hasText: "In force" }));
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
  const each = patientsOf(accounts);
  return size === "phone" ? [each[0], each[3]] : [each[0], each[4]];
}
