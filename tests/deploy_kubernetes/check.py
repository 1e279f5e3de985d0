"""Checks rendered manifests beyond their schemas: that the resources match each other and our
documentation. (restricted.py checks the pod security standard.)

Prints one line for each satisfied rule, or prints the violations and fails.
"""

import sys
import tomllib

import yaml

documents = [one for one in yaml.safe_load_all(sys.stdin) if one]
errors = []


def rule(name, holds, detail=""):
    if holds:
        print("ok:", name)
    else:
        errors.append(f"{name} {detail}".strip())


def of_kind(kind):
    return [one for one in documents if one["kind"] == kind]


workloads = of_kind("Deployment") + of_kind("StatefulSet")
rule("exactly one workload", len(workloads) == 1, str([one["kind"] for one in workloads]))
configs = of_kind("ConfigMap")
rule("exactly one ConfigMap", len(configs) == 1)
settings = tomllib.loads(configs[0]["data"]["probecause.toml"])
for workload in workloads:
    spec = workload["spec"]["template"]["spec"]
    rule("no service account token is mounted", spec.get("automountServiceAccountToken") is False)
    accounts = [one["metadata"]["name"] for one in of_kind("ServiceAccount")]
    rule("the service account exists", spec.get("serviceAccountName") in accounts)
    rule("the user is that of the image", spec["securityContext"]["runAsUser"] == 65532)
    # fsGroup applies to volumes and to the token for assuming an AWS role.
    rule("the group owns the volumes", spec["securityContext"]["fsGroup"] == 65532)
    for container in spec["containers"]:
        rule("the root file system is read-only", container["securityContext"].get("readOnlyRootFilesystem") is True)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            rule(f"{probe} uses a path that the daemon serves", path in ("/-/ready", "/-/healthy"), path)
        rule("memory has a limit", "memory" in container["resources"]["limits"])
        rule("changes of the ConfigMap are watched", "--watch" in container["args"])
        places = {mount["name"]: mount for mount in container["volumeMounts"]}
        rule("the ConfigMap is not a subPath mount, which is never updated",
             "subPath" not in places["config"])
        file = container["args"][container["args"].index("--config") + 1]
        rule("the configuration is mounted where the daemon reads it",
             file == places["config"]["mountPath"] + "/probecause.toml", file)
        environment = {one["name"]: one.get("value") for one in container["env"]}
        rule("the state is on a volume",
             environment["STATE_DIRECTORY"] == places["state"]["mountPath"])
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        listen = settings["server"]["listen"]
        rule("the port matches the configuration", listen == f"0.0.0.0:{ports['http']}", listen)
    if workload["kind"] == "StatefulSet":
        shard, replicas = settings["shard"], workload["spec"]["replicas"]
        rule("as many pods as shards", shard["total"] == replicas, f"{shard} {replicas}")
        rule("the shard index is the pod number",
             shard["index"] == "auto" and "POD_NAME" in environment)
        headless = [one["metadata"]["name"] for one in of_kind("Service")
                    if one["spec"].get("clusterIP") == "None"]
        rule("a headless service names the pods", workload["spec"]["serviceName"] in headless)
    else:
        rule("one daemon at a time",
             (workload["spec"]["replicas"], workload["spec"]["strategy"]["type"]) == (1, "Recreate"))
        rule("it has no shards", "shard" not in settings)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for one in of_kind("Service") + of_kind("PodDisruptionBudget") + of_kind("NetworkPolicy"):
        selector = one["spec"].get("selector") or one["spec"].get("podSelector")
        selector = selector.get("matchLabels", selector)
        rule(f"{one['kind']} {one['metadata']['name']} selects the pods",
             selector.items() <= labels.items(), str(selector))
    rule("the ConfigMap is mounted by name",
         any(volume.get("configMap", {}).get("name") == configs[0]["metadata"]["name"]
             for volume in spec["volumes"]))
for monitor in of_kind("ServiceMonitor"):
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [one for one in of_kind("Service") if wanted <= one["metadata"].get("labels", {}).items()]
    rule("the ServiceMonitor selects exactly one service", len(found) == 1, str(len(found)))
    ports = {port["name"] for one in found for port in one["spec"]["ports"]}
    rule("the service defines the port of the ServiceMonitor", {one["port"] for one in monitor["spec"]["endpoints"]} <= ports)

if errors:
    print("errors:", *errors, sep="\n  ")
    sys.exit(1)
