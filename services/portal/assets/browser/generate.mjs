// node browser/generate.mjs: puts e2e/verifier/format.schema into src/format.js, after the ledger's types have changed.

import { readFileSync, writeFileSync } from "node:fs";

const at = (path) => new URL(path, import.meta.url);
const schema = readFileSync(at("../../../../e2e/verifier/format.schema"), "utf8");
const module = readFileSync(at("./src/format.js"), "utf8");
const start = module.indexOf("`") + 1;
writeFileSync(at("./src/format.js"), module.slice(0, start) + schema + module.slice(module.indexOf("`", start)));
