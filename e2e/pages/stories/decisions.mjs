// A clerk decides at the desk for the hospital, and a guardian for the patient: who signed in a while ago shows first again
// who they are. The patient sees who decided; with the delegation ends what the guardian may do. Before that
// the institution that applies has to have the money. [A54-A56, A89, issue 5: delegation]
import { appliedFor, applyForAllFound, approveOne, key, linkOf, nameGuardian, patientsOf, payIn, recordsOf } from "../acts.mjs";
import { expect } from "../browser.mjs";
import { activate, choose, enter } from "../keyboard.mjs";

/** So old is a session that has to be proved again (`keys::token::RECENT_US`). */
const RECENT_MS = 15 * 60_000;

/** The guardian signs in before all other stories: the story needs a session that is old. */
export async function begin({ accounts, open, size }) {
  const guardian = await open();
  await guardian.signIn(guardianOf(accounts, size));
  return { guardian, signedIn: Date.now() };
}

export async function play({ accounts, open, size }, { guardian, signedIn }) {
  const institute = await open();
  await institute.signInWithKey(key(accounts, "institute"));
  await funded(institute, await open(), accounts);
  await applyForAllFound(institute, `Which treatment of chronic sinusitis helps, ${size} ${signedIn}.`);
  await appliedFor(institute);
  const { patient, whose, hospital } = await atTheDesk(open, accounts);

  const { name, login, password } = guardianOf(accounts, size);
  await nameGuardian(patient, { hospital, id: accounts.patient_ids[login], name, scope: "Decide on requests for my records" });
  const request = await forThePatient(guardian, { hospital, patient: whose, password, old: signedIn + RECENT_MS + 1_000 });
  await institute.go("/research/released");
  await institute.page.locator("#released .medshare-list > li").first().waitFor({ timeout: 30_000 });

  await patient.go(`/history/${request.split("/").slice(-2).join("/")}`);
  await patient.page.getByText("A guardian, for the patient").waitFor();
  await patient.look("decided by the guardian");
  guardian.mistakes = true;
  await patient.go("/guardians");
  const card = patient.page.locator(".medshare-list > li").filter({ hasText: name }).filter({ hasText: "In force" });
  await patient.press("End it", card);
  await patient.page.getByText("It is ended").waitFor({ timeout: 60_000 });
  await guardian.page.waitForFunction(() => !document.getElementById("requests"), null, { timeout: 30_000 });
  await guardian.page.goto(request);
  expect((await guardian.page.locator("main").innerText()).includes("You can't see or do this"), "what was asked is shown no more");
  await guardian.look("nothing more to decide");
}

/** Who offers more than the account holds is told so; the treasury records what the institution's bank has sent. */
async function funded(institute, treasury, accounts) {
  const { page } = institute;
  institute.mistakes = true;
  await applyForAllFound(institute, "More than we have.", "10000000.00");
  await page.getByRole("heading", { name: "There is not enough money in the account" }).waitFor({ timeout: 30_000 });
  await institute.look("not enough money");
  institute.mistakes = false;
  await institute.go("/me");
  const account = (await page.locator("main .medshare-number").innerText()).trim();
  await treasury.signInWithKey(key(accounts, "treasury"));
  await payIn(treasury, account, "100.00");
}

/** Clerks refuse one request with a reason, and approve one of a patient who is no guardian here: gives whose, and where. */
async function atTheDesk(open, accounts) {
  const desks = [];
  for (const [login, hospital] of [["lakeside", "Lakeside Hospital"], ["hillcrest", "Hillcrest Hospital"]]) {
    const clerk = await open();
    await clerk.signIn(accounts.people.find((account) => account.role === "Clerk" && account.login.includes(login)));
    desks.push({ clerk, hospital });
  }
  await refuseOne(desks[0].clerk);
  const [first, , , ...others] = patientsOf(accounts);
  for (const account of [first, ...others]) {
    const patient = await open();
    await patient.signIn(account);
    const own = await recordsOf(patient);
    for (const { clerk, hospital } of desks) {
      if (await approveOne(clerk, own)) return { patient, whose: account.name, hospital };
    }
  }
  throw new Error("not so: a request for a record of a patient can be approved");
}

/** Refuses the oldest request on the page. */
async function refuseOne(clerk) {
  const { page } = clerk;
  await clerk.go("/hospital/requests");
  await clerk.go(await page.locator("#requests .medshare-list a").last().getAttribute("href"));
  await clerk.press("中文");
  await clerk.look("in Chinese");
  await clerk.press("English");
  await activate(page.getByRole("button", { name: "Refuse" }));
  await page.waitForURL(/\/refuse$/);
  await clerk.look();
  await choose(page.getByRole("radio", { name: "The price is too low" }));
  await clerk.press("Refuse", page.locator("main"));
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await clerk.look("refused");
}

/** The guardian agrees, once the password was shown again: from `old` on the session is too old without. Gives the request's address. */
async function forThePatient(guardian, { hospital, patient, password, old }) {
  const { page } = guardian;
  const link = await linkOf(guardian, hospital, `Requests for the records of ${patient}`);
  await guardian.look("held");
  expect((await page.getByRole("link", { name: `Records of ${patient}`, exact: true }).count()) === 0, "who only decides reads nothing");
  await activate(link);
  await page.getByText("You are acting for").waitFor();
  await guardian.look();
  await activate(page.locator("#requests .medshare-list a").first());
  await page.getByRole("button", { name: "Agree and share" }).waitFor();
  await guardian.look();
  const request = page.url();
  await activate(page.getByRole("button", { name: "Refuse" }));
  await page.waitForURL(/\/refuse$/);
  await guardian.look();
  await page.goto(request);
  await page.waitForTimeout(Math.max(0, old - Date.now()));
  await guardian.press("Agree and share");
  await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  await guardian.look();
  await activate(page.getByRole("button", { name: "Cancel" }));
  await page.waitForURL(request);
  await guardian.press("Agree and share");
  await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  await guardian.press("中文");
  await guardian.look("in Chinese");
  await guardian.press("English");
  guardian.mistakes = true;
  await enter(page.getByLabel("Present password"), "not the password");
  await guardian.press("Confirm", page.locator("main"));
  await page.getByText("This is not your password").first().waitFor();
  await guardian.look("wrong password");
  guardian.mistakes = false;
  await enter(page.getByLabel("Present password"), password);
  await guardian.press("Confirm", page.locator("main"));
  expect(page.url() === request, "who shows again who they are is back at the request");
  await guardian.press("Agree and share");
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await guardian.look("agreed");
  return request;
}

/** Somebody else in each width, so that both begin with nothing. */
function guardianOf(accounts, size) {
  return patientsOf(accounts)[size === "phone" ? 1 : 2];
}
