// Passkeys: on the sign-in page, and where one is added. The authenticator signs, and its PRF extension gives the secret that
// opens the account's keys; both go where a password would go, and nothing is kept here.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", (event) => work(event, form, async () => {
    const asked = await challenge(form);
    return { asked, ...(await signed(asked.options.publicKey, asked.salt)) };
  }));
}

const adding = document.getElementById("add-passkey");
adding?.addEventListener("submit", (event) => work(event, adding, async () => {
  const asked = await challenge(adding);
  const options = asked.options.publicKey;
  const credential = await navigator.credentials.create({ publicKey: {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) })),
    extensions: { ...options.extensions, prf: { eval: { first: bytes(asked.salt) } } },
  } });
  for (const field of adding.querySelectorAll("input[type=password]")) field.value = "";
  const { prf } = credential.getClientExtensionResults();
  const secret = prf?.results?.first;
  // Many authenticators give it only when they sign.
  if (!secret && prf?.enabled) {
    const own = { challenge: text(crypto.getRandomValues(new Uint8Array(32))), rpId: options.rp.id, userVerification: "required",
      allowCredentials: [{ type: "public-key", id: text(credential.rawId) }] };
    return { asked, credential, secret: bytes((await signed(own, asked.salt)).secretText) };
  }
  return { asked, credential, secret };
}));

async function challenge(form) {
  const fields = new URLSearchParams(new FormData(form));
  const answer = await fetch(`${new URL(form.action).pathname}/challenge`, { method: "POST", body: fields });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `${answer.status}`);
  return said;
}

async function signed(options, salt) {
  const credential = await navigator.credentials.get({ publicKey: {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) })),
    extensions: { prf: { eval: { first: bytes(salt) } } },
  } });
  const secret = credential.getClientExtensionResults().prf?.results?.first;
  return { credential, secret, secretText: secret && text(secret) };
}

/** Without what the secret is for: that goes in a field of its own. */
function plain(credential) {
  const { response } = credential;
  const both = { id: credential.id, rawId: text(credential.rawId), type: credential.type };
  const clientDataJSON = text(response.clientDataJSON);
  if (response.attestationObject) {
    return { ...both, response: { clientDataJSON, attestationObject: text(response.attestationObject), transports: response.getTransports?.() ?? [] } };
  }
  return { ...both, response: { clientDataJSON, authenticatorData: text(response.authenticatorData), signature: text(response.signature),
    userHandle: response.userHandle && text(response.userHandle) } };
}

/** Asks the authenticator, then sends the form; what goes wrong is said in the form. */
async function work(event, form, ask) {
  if (form.elements.credential.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const words = document.querySelector("[data-no-secret]").dataset;
  const problem = form.querySelector("[data-problem]") ?? form.insertBefore(
    Object.assign(document.createElement("p"), { className: "nhsuk-error-message" }), form.firstChild);
  problem.dataset.problem = "";
  problem.setAttribute("role", "alert");
  problem.textContent = "";
  try {
    const { asked, credential, secret } = await ask();
    if (!secret) throw new Error(words.noSecret);
    form.elements.ceremony.value = asked.ceremony;
    form.elements.credential.value = JSON.stringify(plain(credential));
    form.elements.secret.value = text(secret);
    form.requestSubmit();
  } catch (error) {
    form.elements.credential.value = "";
    // What a browser says is for developers, in a language of its own.
    problem.textContent = error instanceof DOMException ? words.notConfirmed : error.message;
  }
}
