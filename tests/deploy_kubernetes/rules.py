"""Checks that the PrometheusRule resource equals the rules in deploy/prometheus.

`--write` generates the resource. The operator reads rules only from this resource, and kustomize
cannot include the contents of a file in it.
"""

import pathlib
import sys

import yaml

root = pathlib.Path(__file__).resolve().parents[2]
copy = root / "deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml"
files = ["recording.rules.yaml", "alerts.rules.yaml"]
groups = [
    group
    for name in files
    for group in yaml.safe_load((root / "deploy/prometheus" / name).read_text())["groups"]
]
wanted = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {"name": "probecause", "labels": {"app.kubernetes.io/name": "probecause"}},
    "spec": {"groups": groups},
}
if "--write" in sys.argv:
    head = "# Generated from deploy/prometheus by tests/deploy_kubernetes/rules.py --write.\n"
    copy.write_text(head + yaml.safe_dump(wanted, sort_keys=False, width=100))
if yaml.safe_load(copy.read_text()) != wanted:
    sys.exit("prometheusrule.yaml differs from deploy/prometheus; run rules.py --write")
print(f"{sum(len(group['rules']) for group in groups)} rules are equal")
