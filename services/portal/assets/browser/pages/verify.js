// Verifies receipts in the page: of a transaction that is shown, or from files that somebody chose.

import { receiptBytes, verifyFile, verifyReceipt } from "../src/receipt.js";
import { showSays } from "./says.js";
import { showSteps } from "./steps.js";

const box = document.querySelector(".verify");
if (box?.dataset.verify) ofTransaction();
else if (box) ofFiles();

async function text(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.text();
}

async function ofTransaction() {
  const { verify, genesis, holds, fails, forged, tryForged, tryTrue } = box.dataset;
  let bytes;
  let genesisText;
  try {
    const [file, file2] = await Promise.all([text(verify), text(genesis)]);
    bytes = receiptBytes(file);
    genesisText = file2;
  } catch (error) {
    const verdict = box.querySelector(".verify__verdict");
    verdict.textContent = error.message;
    verdict.className = "verify__verdict verify__verdict--fails";
    return;
  }
  const show = (checked, refused) => {
    const result = verifyReceipt(checked, genesisText);
    showSteps(box, result, result.holds ? holds : refused);
  };
  show(bytes, fails);
  const button = box.querySelector("[data-forge]");
  let isForged = false;
  button.hidden = false;
  button.addEventListener("click", () => {
    isForged = !isForged;
    button.textContent = isForged ? tryTrue : tryForged;
    show(isForged ? forge(bytes) : bytes, isForged ? forged : fails);
  });
}

/** A copy with one byte changed, anywhere. */
function forge(bytes) {
  const copy = bytes.slice();
  const [place] = crypto.getRandomValues(new Uint32Array(1));
  copy[place % copy.length] ^= 1;
  return copy;
}

function ofFiles() {
  const [receipt, genesis] = [box.querySelector("#receipt"), box.querySelector("#genesis")];
  const drop = box.querySelector(".verify__drop");
  const chosen = { receipt: null, genesis: null };
  const show = async () => {
    if (!chosen.receipt) return;
    const genesisText = chosen.genesis ?? (await text(box.dataset.genesis));
    const result = verifyFile(chosen.receipt, genesisText);
    showSteps(box, result, result.holds ? box.dataset.holds : box.dataset.fails);
    showSays(box.querySelector(".verify__says"), result.says);
  };
  const take = async (file) => {
    const content = await file.text();
    // A genesis file is known by what is in it, whatever it is called.
    const kind = /"certificate_authority"/.test(content) ? "genesis" : "receipt";
    chosen[kind] = content;
    await show();
  };
  for (const input of [receipt, genesis]) input.addEventListener("change", () => [...input.files].forEach(take));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("verify__drop--over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("verify__drop--over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("verify__drop--over");
    [...event.dataTransfer.files].forEach(take);
  });
}
