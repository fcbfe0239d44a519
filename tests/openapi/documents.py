#!/usr/bin/env python3
"""Each JSON document of the read API against its description, on a service that tests/openapi/seed.py has filled.

Usage: tests/openapi/documents.py URL

Schemathesis makes names up, of which nothing is recorded; here they are those that were seeded.
"""

import json
import sys
import urllib.request

import jsonschema_rs

NAMES = {"{model}": "delay", "{view}": "gates"}
NAMES_OF = {"/api/v1/experiments/": "checkout", "/api/v1/gates/": "delay-8"}
# What holds nothing after seeding: no monitor is configured, nothing fires and nobody is silenced.
EMPTY = {"/api/v1/alerts", "/api/v1/monitors", "/api/v1/silences"}


def read(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


def asked(path):
    """The path with the names of what was seeded."""
    for start, name in NAMES_OF.items():
        if path.startswith(start):
            path = path.replace("{name}", name)
    for placeholder, name in NAMES.items():
        path = path.replace(placeholder, name)
    return path


def faults(url, path, schema):
    """What is wrong with the answer at a path."""
    document = read(url + asked(path))
    found = [f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(schema).iter_errors(document)]
    lists = [held for held in document.values() if isinstance(held, list)]
    if path not in EMPTY and not path.endswith("/evaluate") and not any(lists):
        found.append("nothing is in it, and so nothing was checked")
    return [f"{path}: {fault}" for fault in found]


def main(url):
    """Checks all of them; answers how many."""
    documents = {}
    for path, operations in read(f"{url}/api/openapi.json")["paths"].items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if path.startswith("/api/v1/") and "application/json" in content:
            documents[path] = content["application/json"]["schema"]
    found = [fault for path, schema in documents.items() for fault in faults(url, path, schema)]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(documents)} documents are as they are described")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
