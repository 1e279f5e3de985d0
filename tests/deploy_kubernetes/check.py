"""Looks through rendered manifests for what no schema says: that their parts fit each other,
and what our own documents promise. (restricted.py has the pod security standard.)

Prints one line for each rule that holds, or what is wrong, and then fails.
"""

import sys
import tomllib

import yaml

documents = [one for one in yaml.safe_load_all(sys.stdin) if one]
wrong = []


def rule(name, holds, detail=""):
    if holds:
        print("ok:", name)
    else:
        wrong.append(f"{name} {detail}".strip())


def of_kind(kind):
    return [one for one in documents if one["kind"] == kind]


workloads = of_kind("Deployment") + of_kind("StatefulSet")
rule("exactly one workload", len(workloads) == 1, str([one["kind"] for one in workloads]))
configs = of_kind("ConfigMap")
rule("exactly one ConfigMap", len(configs) == 1)
settings = tomllib.loads(configs[0]["data"]["probecause.toml"])
for workload in workloads:
    spec = workload["spec"]["template"]["spec"]
    rule("no token of the cluster", spec.get("automountServiceAccountToken") is False)
    accounts = [one["metadata"]["name"] for one in of_kind("ServiceAccount")]
    rule("the service account is there", spec.get("serviceAccountName") in accounts)
    rule("the user is the image's", spec["securityContext"]["runAsUser"] == 65532)
    # Volumes are made the group's, and so is the token by which a role in AWS is taken.
    rule("volumes are the group's", spec["securityContext"]["fsGroup"] == 65532)
    for container in spec["containers"]:
        rule("read-only root", container["securityContext"].get("readOnlyRootFilesystem") is True)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            rule(f"{probe} asks a path that we have", path in ("/-/ready", "/-/healthy"), path)
        rule("memory is bounded", "memory" in container["resources"]["limits"])
        rule("changes of the ConfigMap are watched", "--watch" in container["args"])
        places = {mount["name"]: mount for mount in container["volumeMounts"]}
        rule("the ConfigMap is no subPath, which would never change",
             "subPath" not in places["config"])
        file = container["args"][container["args"].index("--config") + 1]
        rule("the configuration is where it is read",
             file == places["config"]["mountPath"] + "/probecause.toml", file)
        environment = {one["name"]: one.get("value") for one in container["env"]}
        rule("the state is on a volume",
             environment["STATE_DIRECTORY"] == places["state"]["mountPath"])
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        listen = settings["server"]["listen"]
        rule("the port is what the configuration says", listen == f"0.0.0.0:{ports['http']}", listen)
    if workload["kind"] == "StatefulSet":
        shard, replicas = settings["shard"], workload["spec"]["replicas"]
        rule("as many pods as shards", shard["total"] == replicas, f"{shard} {replicas}")
        rule("a pod's share is by its number",
             shard["index"] == "auto" and "POD_NAME" in environment)
        headless = [one["metadata"]["name"] for one in of_kind("Service")
                    if one["spec"].get("clusterIP") == "None"]
        rule("the pods have their names by a service", workload["spec"]["serviceName"] in headless)
    else:
        rule("one daemon at a time",
             (workload["spec"]["replicas"], workload["spec"]["strategy"]["type"]) == (1, "Recreate"))
        rule("it does not share", "shard" not in settings)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for one in of_kind("Service") + of_kind("PodDisruptionBudget") + of_kind("NetworkPolicy"):
        selector = one["spec"].get("selector") or one["spec"].get("podSelector")
        selector = selector.get("matchLabels", selector)
        rule(f"{one['kind']} {one['metadata']['name']} selects the pods",
             selector.items() <= labels.items(), str(selector))
    rule("the ConfigMap is mounted by its name",
         any(volume.get("configMap", {}).get("name") == configs[0]["metadata"]["name"]
             for volume in spec["volumes"]))
for monitor in of_kind("ServiceMonitor"):
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [one for one in of_kind("Service") if wanted <= one["metadata"].get("labels", {}).items()]
    rule("the ServiceMonitor selects one service, once", len(found) == 1, str(len(found)))
    ports = {port["name"] for one in found for port in one["spec"]["ports"]}
    rule("its port has a name there", {one["port"] for one in monitor["spec"]["endpoints"]} <= ports)

if wrong:
    print("wrong:", *wrong, sep="\n  ")
    sys.exit(1)
