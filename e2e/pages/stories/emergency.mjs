// No replica answers: a doctor sees a record without the ledger, which says what will happen; once the ledger is back it is
// told, the patient sees it, and the regulator reviews it. [decision 18]
import { execFileSync } from "node:child_process";
import { key } from "../acts.mjs";
import { expect } from "../browser.mjs";
import { activate, enter, pick } from "../keyboard.mjs";

export async function play({ accounts, folder, open, size }) {
  const replicas = Object.keys(steer(folder, "status").processes).filter((name) => name.startsWith("replica-"));
  expect(replicas.length > 3, "the system has replicas");
  const patient = await open();
  await patient.signIn(accounts.people[0]);
  await patient.go("/settings");
  const row = patient.page.locator(".nhsuk-summary-list__row").filter({ hasText: "Lakeside" });
  const id = (await row.locator("dd").innerText()).trim();
  const doctor = await open();
  await doctor.signIn(accounts.people.find((account) => account.login === "doctor-lakeside"));
  const found = await of(doctor, id);
  const reason = `Unconscious, ledger away, ${size} ${Date.now()}`;
  const { page } = doctor;
  try {
    for (const name of replicas) steer(folder, "pause", name);
    await silent(doctor);
    await doctor.look("silent");
    await page.goto(found.list);
    await doctor.press("Open", page.locator("li").filter({ has: page.locator(`input[name=record][value="${found.records[0]}"]`) }));
    await page.waitForURL(/\/hospital\/emergency\?/);
    await page.getByText("The ledger does not answer").waitFor();
    expect((await page.getByLabel("Patient's ledger id").inputValue()) === id, "the patient is filled in");
    await doctor.look("offered");
    await activate(page.getByRole("button", { name: "See records without the ledger" }));
    await page.waitForURL(/\/hospital\/emergency\/offline/);
    expect((await page.getByLabel("Record numbers").inputValue()) === found.records[0], "the record is filled in");
    expect(!page.url().includes(id), "the patient's id is not in the address");
    await doctor.look();
    doctor.mistakes = true;
    await doctor.press("Show the records", page.locator("main"));
    await page.waitForSelector(".nhsuk-error-summary");
    await doctor.look("no reason");
    doctor.mistakes = false;
    await enter(page.getByLabel("Reason"), reason);
    // The demo has edited one record behind the ledger's back: that one is not shown here either, and another is.
    await enter(page.getByLabel("Record numbers"), found.records.join("\n"));
    await doctor.press("Show the records", page.locator("main"));
    await page.waitForURL(/\/viewed\//, { timeout: 30_000 });
    await page.getByText("Shown without the ledger").waitFor();
    await page.getByText("Verified").first().waitFor();
    await doctor.look("shown");
    await page.reload();
    await page.getByText("Verified").first().waitFor();
    await activate(page.getByRole("link", { name: "What becomes of it" }));
    await page.getByText("Waiting", { exact: true }).waitFor();
    await doctor.look("waiting");
  } finally {
    for (const name of replicas) steer(folder, "resume", name);
  }
  await page.getByText("Recorded", { exact: true }).waitFor({ timeout: 120_000 });
  await page.getByText("To be reviewed", { exact: true }).waitFor();
  await doctor.look("recorded");
  await patient.go("/views");
  await patient.page.getByText("Emergency access without the ledger").first().waitFor();
  await patient.look("viewed without the ledger");
  await reviewed(await open(), accounts, reason);
  await page.getByText("Justified", { exact: true }).waitFor({ timeout: 30_000 });
  await doctor.look("reviewed");
  await doctor.press("中文");
  await doctor.look("reviewed chinese");
  await doctor.go("/hospital/emergency/offline");
  await doctor.go("/hospital/emergency");
  await page.getByText(reason).waitFor();
}

/** Asks the running system for something; its processes as they are then. */
function steer(folder, action, name) {
  const program = process.env.MEDSHARE_BINARY;
  expect(program, "MEDSHARE_BINARY names the medshare command, which makes replicas stand still");
  const words = ["admin", "--json", action, ...(name ? [name] : []), "--dir", folder];
  return JSON.parse(execFileSync(program, words, { encoding: "utf8" }));
}

/** Records of the patient on the first page of those the doctor finds that has any. */
async function of(doctor, id) {
  const { page } = doctor;
  for (let path = "/hospital/records"; path; ) {
    await page.goto(new URL(path, doctor.portal).href);
    const forms = page.locator("form").filter({ has: page.locator(`input[name=patient][value="${id}"]`) });
    const records = await forms.locator("input[name=record]").evaluateAll((all) => all.map((one) => one.value));
    if (records.length > 1) return { list: page.url(), records };
    path = await page.getByRole("button", { name: "Show more" }).getAttribute("href", { timeout: 500 }).catch(() => null);
  }
  throw new Error("not so: the doctor finds records of the patient");
}

/** Waits until the portal has noticed that no block comes. */
async function silent(doctor) {
  for (let tries = 0; tries < 120; tries += 1) {
    await doctor.page.goto(new URL("/hospital/emergency", doctor.portal).href);
    if ((await doctor.page.getByText("The ledger does not answer").count()) > 0) return;
    await doctor.page.waitForTimeout(1_000);
  }
  throw new Error("not so: the page says that the ledger does not answer");
}

/** The regulator finds the view marked among the reviews, and closes its review. */
async function reviewed(regulator, accounts, reason) {
  const { page } = regulator;
  await regulator.signInWithKey(key(accounts, "regulator"));
  await regulator.go("/reviews");
  await pick(page.getByLabel("Hospital"), "Lakeside Hospital");
  await regulator.press("Show", page.locator("main"));
  const card = page.locator("#reviews .medshare-list > li").filter({ hasText: reason });
  await card.getByText("Without the ledger", { exact: true }).waitFor();
  await regulator.look("without the ledger");
  await regulator.press("It was justified", card);
  await page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await regulator.press("Sign and submit");
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
}
