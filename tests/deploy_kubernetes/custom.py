"""Validates the Prometheus operator's resources against their published schema.

The schema is from the operator's custom resource definitions, release 0.80.1
(github.com/prometheus-operator/prometheus-operator, example/prometheus-operator-crd), packaged
in cloudcoil-models-prometheus-operator. A field that the schema does not define is an error,
because a cluster would silently drop it.
"""

import sys

import yaml
from cloudcoil.models.prometheus_operator import v1
from jsonschema import Draft202012Validator

GROUP = "monitoring.coreos.com/v1"


def closed(schema):
    """The schema without additional properties."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False
    return schema


def fields(value):
    """The number of fields, including nested fields."""
    if isinstance(value, list):
        return sum(map(fields, value))
    if isinstance(value, dict):
        return len(value) + sum(map(fields, value.values()))
    return 0


def deepest(error):
    """The most specific error, instead of "not valid under any of the given schemas"."""
    while error.context:
        error = max(error.context, key=lambda one: len(one.absolute_path))
    return error


errors = []
for document in yaml.safe_load_all(sys.stdin):
    if not document or document["apiVersion"] != GROUP:
        continue
    kind = document["kind"]
    schema = closed(getattr(v1, kind).model_json_schema(by_alias=True))
    found = [deepest(one) for one in Draft202012Validator(schema).iter_errors(document)]
    errors += [f"{kind}: {error.json_path}: {error.message}" for error in found]
    if not found:
        print(f"ok: {kind}: {fields(document)} fields")
if errors:
    print("errors:", *errors, sep="\n  ")
    sys.exit(1)
