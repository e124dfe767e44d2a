// A doctor finds records by patient, doctor, date and disease, opens one, writes one, and receives one by its code. [A45, A47, A49, A61, A90]
import { expect } from "../browser.mjs";
import { enter, follow } from "../keyboard.mjs";

export async function play({ accounts, open, size }) {
  const doctor = accounts.people.find((account) => account.login === "doctor-lakeside");
  const window = await open();
  const { page } = window;
  await window.signIn(doctor);
  expect(page.url().endsWith("/hospital/records"), "a doctor begins with finding records");
  const facts = await page.locator(".medshare-list > li").filter({ has: page.getByRole("button", { name: "Open" }) }).allInnerTexts();
  const number = facts.map((text) => /Patient number (\S+)/.exec(text)?.[1]).find(Boolean);
  expect(number, "records name the hospital's patient number");
  await enter(page.getByLabel("Patient number"), number);
  await window.press("Search");
  await page.getByText("Search results").waitFor();
  await window.look("found");
  expect(!page.url().includes(number), "the patient's number is not in the address");
  await window.press("Open", page.locator("main"));
  await page.waitForURL(/\/viewed\//);
  await window.look();
  await window.go("/hospital/records");
  window.mistakes = true;
  await enter(page.getByLabel("From"), "yesterday");
  await window.press("Search");
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("wrong day");
  await window.go("/hospital/write");
  await enter(page.getByLabel("Patient number"), `P-${size}-${Date.now()}`);
  await enter(page.getByLabel("Patient's name"), "Walter Written");
  await enter(page.getByLabel("Date of birth"), "1970-02-03");
  await enter(page.getByLabel("Day of the visit"), "2026-11-20");
  await enter(page.getByLabel("Notes"), "Rest and plenty to drink.");
  await window.press("Write and register");
  await page.getByText(/Written/).first().waitFor({ timeout: 30_000 });
  await window.look("written");
  await window.go("/hospital/emergency");
  await window.go("/hospital/receive");
  await enter(page.getByLabel("Authorization code"), "nonsense");
  await enter(page.getByLabel("Patient ID"), "x");
  await window.press("Open the record");
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("wrong code");

  // A patient hands out the code of a record at another hospital.
  const patient = await open();
  await patient.signIn(accounts.people[0]);
  const cards = patient.page.locator(".medshare-list > li").filter({ hasText: "Hillcrest" });
  await patient.press("Open", cards.first());
  await patient.page.waitForURL(/\/records\/viewed\//);
  await follow(patient.page.getByRole("button", { name: "Share this record with a code" }));
  // A code of its own: one that another story made may be used up.
  await patient.press("Change the code");
  await patient.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  const [code, id] = await patient.page.locator(".medshare-code").allInnerTexts();
  await window.go("/hospital/receive");
  await enter(page.getByLabel("Authorization code"), code.toLowerCase());
  await enter(page.getByLabel("Patient ID"), id);
  await window.press("Open the record");
  await page.waitForURL(/\/viewed\//, { timeout: 30_000 });
  await page.getByText("Verified").waitFor();
  await window.look("received");
  await patient.go("/views");
  await patient.page.getByText("Your authorization code").first().waitFor();
}
