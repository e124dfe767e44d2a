// Signs with a key that this browser holds: on the sign-in page and on the page that confirms a command. The key never
// leaves the browser; see browser/ for how it is kept and used.
import * as keys from "./browser/medshare-keys.js";
import { readable } from "./released.js";

const signIn = document.querySelector("form[data-sign-in]");
signIn?.addEventListener("submit", (event) => work(event, signIn, async () => {
  const file = document.getElementById("key-file").files[0];
  if (!file) throw new Error(document.getElementById("key-file-hint").textContent);
  const member = await keys.importMember(await file.text());
  const answer = await fetch("/sign-in/key/challenge", { method: "POST", body: new URLSearchParams({ member }) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const { challenge } = await answer.json();
  signIn.elements.member.value = member;
  signIn.elements.challenge.value = challenge;
  signIn.elements.signature.value = await keys.signChallenge(member, challenge);
}));

const sign = document.querySelector("form[data-sign]");
sign?.addEventListener("submit", (event) => work(event, sign, async () => {
  const { member, transaction, unsigned, chain, contract, command, noKey } = sign.dataset;
  if (!(await keys.members()).includes(member)) throw new Error(noKey);
  sign.elements.signature.value = await keys.signPrepared(member, { transaction, unsigned }, { chain, contract, command });
}));

// An application's items get a key each, made here; what is released is sealed to it.
const application = document.getElementById("item-keys");
application?.addEventListener("submit", (event) => {
  if (application.querySelector("[name=item_key]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const count = application.querySelectorAll("[name=handles]").length;
  keys.members().then(([member]) => keys.newItemKeys(member, count)).then((made) => {
    for (const key of made) {
      const input = Object.assign(document.createElement("input"), { type: "hidden", name: "item_key", value: key });
      application.append(input);
    }
    application.requestSubmit();
  });
});

// A released record is opened with its item's key and checked against what the ledger committed to.
const released = document.querySelector("[data-released]");
if (released) {
  const { member, application: id, index, itemKey, sealedKey, ciphertext, algorithm, release, opened, words } = released.dataset;
  keys.openReleased(member, { application: id, index: Number(index), itemKey, sealedKey, ciphertext,
    release: { algorithm: Number(algorithm), value: release } })
    .then((text) => {
      released.querySelector("[data-status]").textContent = opened;
      const bundle = JSON.parse(text);
      released.querySelector("[data-content]").replaceChildren(readable(bundle, JSON.parse(words)));
      released.querySelector("[data-file]").textContent = JSON.stringify(bundle, null, 2);
      released.querySelector("details").hidden = false;
    })
    .catch((error) => (released.querySelector("[data-problem]").textContent = error.message));
}

/** Does the work with the key, then sends the form; what goes wrong is said beside the button. */
async function work(event, form, sign) {
  if (form.elements.signature.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const problem = form.querySelector("[data-problem]");
  problem.textContent = "";
  try {
    await sign();
    form.requestSubmit();
  } catch (error) {
    form.elements.signature.value = "";
    problem.textContent = error.message;
  }
}
