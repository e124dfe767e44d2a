// The page that needs no server: a receipt and a genesis file are dropped, and every step is shown.

import { verifyFile } from "../src/receipt.js";
import { readGenesis } from "../src/genesis.js";
import { STEPS } from "../src/receipt.js";
import { toHex } from "../src/bytes.js";
import { showSays } from "../pages/says.js";
import { showSteps } from "../pages/steps.js";

const box = document.querySelector(".verify");
const chosen = { receipt: null, genesis: null };
const list = box.querySelector(".verify__steps");
for (const [key, title] of STEPS) {
  const line = document.createElement("li");
  line.dataset.step = key;
  for (const [name, text] of [["verify__title", title], ["verify__detail", ""]]) {
    const part = document.createElement("span");
    part.className = name;
    part.textContent = text;
    line.append(part);
  }
  list.append(line);
}

async function take(file) {
  const content = await file.text();
  const kind = /"certificate_authority"/.test(content) ? "genesis" : "receipt";
  chosen[kind] = content;
  // Where the file was dropped, or chosen in the other's place, nothing else says its name.
  const input = document.getElementById(kind);
  const isThere = [...input.files].some((one) => one.name === file.name);
  document.getElementById(`${kind}-name`).textContent = isThere ? "" : file.name;
  show();
}

function show() {
  const verdict = box.querySelector(".verify__verdict");
  if (chosen.genesis) {
    const shown = document.getElementById("chain");
    try {
      const { file, chain } = readGenesis(chosen.genesis);
      shown.textContent = `${file.name}, chain ${toHex(chain)}`;
    } catch (error) {
      shown.textContent = `not a genesis file: ${error.message}`;
    }
  }
  if (!chosen.receipt || !chosen.genesis) {
    verdict.textContent = chosen.receipt ? "Now the genesis file." : "Now the receipt.";
    verdict.className = "verify__verdict";
    return;
  }
  const result = verifyFile(chosen.receipt, chosen.genesis);
  showSteps(box, result, result.holds ? "All of it holds" : "This receipt proves nothing");
  showSays(box.querySelector(".verify__says"), result.says);
}

for (const input of document.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => [...input.files].forEach(take));
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  box.classList.add("verify--over");
});
addEventListener("dragleave", () => box.classList.remove("verify--over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  box.classList.remove("verify--over");
  [...event.dataTransfer.files].forEach(take);
});
