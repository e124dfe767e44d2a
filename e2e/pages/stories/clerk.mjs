// A hospital invites a clerk and ends an account; a clerk enrols a patient, writes and imports records, finds them without what
// they are about, sees requests and checks integrity, and opens nothing. [A25, A45, A48, A89]
import { expect } from "../browser.mjs";
import { attach, enter, follow } from "../keyboard.mjs";

const password = "weather bridge lantern forty-two";

export async function play({ accounts, open, size }) {
  const unique = `${size}-${Date.now()}`;
  const hospital = await open();
  await hospital.signInWithKey(accounts.keys.find((name) => name.endsWith("/lakeside/member.json")));
  await hospital.go("/hospital/clerks");
  hospital.mistakes = true;
  await hospital.press("Invite a clerk", hospital.page.locator("main"));
  await hospital.page.waitForSelector(".nhsuk-error-summary");
  await hospital.look("nothing entered");
  await enter(hospital.page.getByLabel("Clerk's full name"), "Cora Clerk");
  await enter(hospital.page.getByLabel("Staff number"), `S-${unique}`);
  await hospital.press("Invite a clerk", hospital.page.locator("main"));
  const invited = await hospital.page.locator(".medshare-code").innerText();
  await hospital.look("code of a clerk");

  const clerk = await open();
  const { page } = clerk;
  await register(clerk, "nonsense", `cora-${unique}`);
  await page.waitForSelector(".nhsuk-error-summary");
  await clerk.look("wrong code");
  await register(clerk, invited, `cora-${unique}`);
  await page.getByText("Your account is ready").waitFor({ timeout: 30_000 });
  await clerk.look("ready");
  await clerk.signIn({ login: `cora-${unique}`, password });
  expect(page.url().endsWith("/hospital/desk"), "a clerk begins at the registration desk");

  // A patient who is here, and one who was registered already.
  const identity = `I-${unique}`;
  await enter(page.getByLabel("Patient's full name"), "Petra Present");
  await enter(page.getByLabel("Number of the identity document"), identity);
  await clerk.press("Make a registration code");
  const code = await page.locator(".medshare-code").innerText();
  await clerk.look("code of a patient");
  const patient = await open();
  await register(patient, code, `petra-${unique}`);
  await patient.page.getByText("Your patient ID").waitFor({ timeout: 60_000 });
  await patient.look("registered");
  await clerk.go("/hospital/desk");
  clerk.mistakes = true;
  await enter(page.getByLabel("Patient's full name"), "Petra Present");
  await enter(page.getByLabel("Number of the identity document"), identity);
  await clerk.press("Make a registration code");
  await page.waitForSelector(".nhsuk-error-summary");
  await clerk.look("registered already");

  await clerk.go("/hospital/write");
  await enter(page.getByLabel("Patient number"), `P-${unique}`);
  await enter(page.getByLabel("Patient's name"), "Walter Written");
  await enter(page.getByLabel("Date of birth"), "1970-02-03");
  await enter(page.getByLabel("Day of the visit"), "2026-11-20");
  await clerk.press("Write and register");
  await page.waitForSelector(".nhsuk-error-summary");
  await clerk.look("no doctor named");
  await enter(page.getByLabel("Number of the doctor who saw the patient"), "D-1");
  await clerk.press("Write and register");
  await page.getByText(/Written/).first().waitFor({ timeout: 30_000 });
  await clerk.look("written");

  await clerk.go("/hospital/import");
  await clerk.press("Import records", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await clerk.look("no file");
  await importing(page, JSON.stringify({ resourceType: "Patient" }));
  await clerk.press("Import records", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await clerk.look("no bundle");
  await importing(page, JSON.stringify(bundle(unique)));
  await clerk.press("Import records", page.locator("main"));
  await page.getByText("The file is taken in.").waitFor({ timeout: 30_000 });
  await clerk.look("imported");

  await clerk.go("/hospital/records");
  expect((await page.getByRole("button", { name: "Open" }).count()) === 0, "a clerk is offered no record to open");
  expect((await page.getByLabel("Disease").count()) === 0, "a clerk does not search by disease");
  await enter(page.getByLabel("Patient number"), `M-${unique}`);
  await clerk.press("Search");
  await page.getByText("Search results").waitFor();
  expect(!(await page.locator("main").innerText()).includes("sinusitis"), "what a record is about is not shown");
  await clerk.look("found");
  await clerk.go("/hospital/requests");
  await clerk.go("/hospital/requests?all=yes");
  await follow(page.locator(".medshare-list a").first());
  await clerk.look("request");
  await clerk.go("/hospital/integrity");
  await clerk.press("Check every record now");
  await page.getByText("Records checked").waitFor({ timeout: 60_000 });
  await clerk.go("/me");

  // The account ends, and with it the session that is open.
  await hospital.go("/hospital/clerks");
  const card = hospital.page.locator(".medshare-list > li").filter({ hasText: `S-${unique}` });
  await follow(card.getByRole("link", { name: "End" }));
  await hospital.look("ending");
  await hospital.press("End", hospital.page.locator("main"));
  await hospital.page.getByText("The account is ended.").waitFor();
  await hospital.look("ended");
  await page.waitForTimeout(1_500);
  await clerk.go("/hospital/desk");
  expect(page.url().includes("/sign-in"), "a clerk whose account was ended is signed out");
}

async function register(window, code, login) {
  await window.go("/invitation");
  window.mistakes = true;
  await enter(window.page.getByLabel("Registration code"), code.toLowerCase());
  await enter(window.page.getByLabel("Choose a user name"), login);
  await enter(window.page.getByLabel("Choose a password", { exact: true }), password);
  await window.press("Register", window.page.locator("main"));
}

async function importing(page, text) {
  const file = { name: "bundle.json", mimeType: "application/json", buffer: Buffer.from(text) };
  await attach(page.getByLabel("File", { exact: true }), file);
}

/** One visit of a patient of the hospital. */
function bundle(unique) {
  const url = () => `urn:uuid:${crypto.randomUUID()}`;
  const [patient, encounter, condition] = [url(), url(), url()];
  const coded = (system, code) => ({ coding: [{ system, code }] });
  const diagnosis = { ...coded("http://snomed.info/sct", "40055000"), text: "Chronic sinusitis" };
  return {
    resourceType: "Bundle",
    type: "collection",
    entry: [
      { fullUrl: patient, resource: {
        resourceType: "Patient", gender: "female", birthDate: "1980-01-02", name: [{ text: "Mara Moved" }],
        identifier: [{ type: coded("http://terminology.hl7.org/CodeSystem/v2-0203", "MR"), system: "urn:medshare:patient-number", value: `M-${unique}` }],
      } },
      { fullUrl: encounter, resource: {
        resourceType: "Encounter", status: "finished", subject: { reference: patient },
        class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" },
        period: { start: "2026-11-01", end: "2026-11-01" }, reasonCode: [diagnosis],
      } },
      { fullUrl: condition, resource: {
        resourceType: "Condition", code: diagnosis, subject: { reference: patient }, encounter: { reference: encounter },
        clinicalStatus: coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        verificationStatus: coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        onsetDateTime: "2026-11-01",
      } },
    ],
  };
}
