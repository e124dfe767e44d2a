import { readFileSync } from "node:fs";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

/** What the Rust code made and judged (crates/keys/tests/browser_vectors.rs). */
export const vectors = JSON.parse(read("./vectors.json"));

/** The golden values of crates/ledger, by name. */
export const golden = Object.fromEntries(
  read("../../../../../crates/ledger/tests/ledger/golden.txt")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(" ")),
);

/** The schema from which the Python verifier decodes. */
export const schemaText = read("../../../../../e2e/verifier/format.schema");
