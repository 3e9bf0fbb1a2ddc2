#!/usr/bin/env python3
"""Checks the manifest's JSON Schema against real samples, good and bad.

Every file of fixtures/manifests/good must be valid, every one of bad must not be. Needs the
Python package jsonschema. Exit status 0: all as it must be.
"""

import json
import pathlib
import sys

import jsonschema

TESTS = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = TESTS.parent / "config" / "schema" / "manifest-v1.schema.json"


def main() -> int:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    checked = wrong = 0
    for kind in ("good", "bad"):
        files = sorted((TESTS / "fixtures" / "manifests" / kind).glob("*.json"))
        if not files:
            print(f"no {kind} samples found", file=sys.stderr)
            return 1
        for file in files:
            errors = list(validator.iter_errors(json.loads(file.read_text(encoding="utf-8"))))
            checked += 1
            if bool(errors) == (kind == "good"):
                wrong += 1
                words = errors[0].message[:200] if errors else "accepted although it is bad"
                print(f"{kind}/{file.name}: {words}", file=sys.stderr)
    print(f"manifest schema: {checked} samples checked, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
