// Validates FHIR R4 files against the JSON schema of FHIR R4: `node validate.js MODULES_FOLDER FILE...`.
// Prints one line for each resource with an error, and fails if there is any. The schema is lenient about
// JSON types (an array passes where an object must stand); validate_models.py is strict about them.
"use strict";

const fs = require("fs");
const path = require("path");

const Validator = require(path.join(process.argv[2], "@asymmetrik/fhir-json-schema-validator"));
const validator = new Validator();
let errors = 0;

function check(resource, name) {
  // The short form of the answer recompiles the schema each time and says less.
  const found = validator.validate(resource, true) || [];
  if (found.length > 0) {
    errors += 1;
    const last = found[found.length - 1];
    console.log(`${name} ${resource.resourceType}: ${last.dataPath || ""} ${last.message || last}`);
  }
}

for (const file of process.argv.slice(3)) {
  const content = JSON.parse(fs.readFileSync(file, "utf8"));
  // Resources within a Bundle are checked one by one: the schema passes over them.
  const entries = content.resourceType === "Bundle" ? content.entry || [] : [];
  entries.forEach((entry, index) => check(entry.resource, `${file} entry[${index}]`));
  check(content, file);
}
process.exit(errors === 0 ? 0 : 1);
