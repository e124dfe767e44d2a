// What a verified receipt says, as a list of names and values.

const NAMES = [
  ["consortium", "Consortium"],
  ["transaction", "Transaction"],
  ["outcome", "Outcome"],
  ["command", "Command"],
  ["events", "Events"],
  ["time", "Time"],
  ["height", "Block height"],
  ["block", "Block hash"],
  ["submitter", "Submitted by"],
  ["signers", "Certified by replicas"],
  ["chain", "Chain"],
];

/** Fills a definition list; hides it when nothing was verified. */
export function showSays(list, says) {
  list.replaceChildren();
  list.hidden = says === null;
  if (says === null) return;
  const time = new Date(Number(says.timeMicroseconds / 1000n)).toISOString();
  const named = ({ contract, name }) => `${contract}: ${name ?? "not known to this page"}`;
  const values = {
    ...says,
    time,
    outcome: says.accepted ? "accepted" : `rejected by contract ${says.rejection.contract} with code ${says.rejection.code}`,
    command: named(says.command),
    events: says.events.map(named).join(", ") || "none",
    signers: says.signers.join(", "),
  };
  for (const [key, name] of NAMES) {
    const row = document.createElement("div");
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    value.textContent = String(values[key]);
    row.append(term, value);
    list.append(row);
  }
}
