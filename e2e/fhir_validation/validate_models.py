"""Validates FHIR R4 files against the models of fhir.resources (R4B, which equals R4 for the resource
types used here): `python validate_models.py FILE...`. Prints each error, and fails if there is any.

An ExplanationOfBenefit, a Claim and the rest are checked one by one, so that an error names its
resource. References, cardinalities, value types, choices and required codes are all checked.
"""

import json
import sys
from decimal import Decimal

from fhir.resources.R4B import get_fhir_model_class


def check(resource, name):
    """The number of errors in one resource, printed."""
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        return 0
    except Exception as error:  # pydantic gives one exception with all errors
        print(f"{name} {resource['resourceType']}: {error}")
        return 1


def main():
    errors = resources = 0
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as handle:
            content = json.load(handle, parse_float=Decimal)
        if content["resourceType"] == "Bundle":
            for index, entry in enumerate(content.get("entry", [])):
                errors += check(entry["resource"], f"{file} entry[{index}]")
                resources += 1
            content = dict(content, entry=[
                {key: value for key, value in entry.items() if key != "resource"}
                for entry in content.get("entry", [])
            ])
        errors += check(content, file)
        resources += 1
    print(f"{resources} resources, {errors} errors")
    sys.exit(1 if errors or not resources else 0)


main()
