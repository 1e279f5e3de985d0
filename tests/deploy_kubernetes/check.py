"""Looks through rendered manifests for what no schema says.

The "restricted" level of the pod security standards
(kubernetes.io/docs/concepts/security/pod-security-standards), and what our own documents
promise. Prints one line for each rule that holds, or what is wrong, and then fails.
"""

import sys

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
for workload in workloads:
    spec = workload["spec"]["template"]["spec"]
    pod = spec.get("securityContext", {})
    rule("no host namespaces", not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")))
    rule("seccomp", pod.get("seccompProfile", {}).get("type") == "RuntimeDefault")
    rule("not root", pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0)
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
               "persistentVolumeClaim", "projected", "secret"}
    kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
    rule("volumes of the allowed kinds", kinds <= allowed, str(kinds))
    for container in spec["containers"] + spec.get("initContainers", []):
        context = container.get("securityContext", {})
        rule("no escalation", context.get("allowPrivilegeEscalation") is False)
        rule("not privileged", not context.get("privileged"))
        rule("no capability", context.get("capabilities", {}) == {"drop": ["ALL"]})
        rule("read-only root", context.get("readOnlyRootFilesystem") is True)
        rule("no host port", not any(port.get("hostPort") for port in container["ports"]))
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            rule(f"{probe} asks a path that we have", path in ("/-/ready", "/-/healthy"), path)
        rule("memory is bounded", "memory" in container["resources"]["limits"])
        rule("changes of the ConfigMap are watched", "--watch" in container["args"])
        mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "config"]
        rule("the ConfigMap is no subPath, which would never change",
             mounts and all("subPath" not in mount for mount in mounts))
    rule("no token of the cluster", spec.get("automountServiceAccountToken") is False)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for one in of_kind("Service") + of_kind("PodDisruptionBudget") + of_kind("NetworkPolicy"):
        selector = one["spec"].get("selector") or one["spec"].get("podSelector")
        selector = selector.get("matchLabels", selector)
        rule(f"{one['kind']} {one['metadata']['name']} selects the pods",
             selector.items() <= labels.items(), str(selector))
    for config in of_kind("ConfigMap"):
        rule("the ConfigMap is mounted by its name",
             any(volume.get("configMap", {}).get("name") == config["metadata"]["name"]
                 for volume in spec["volumes"]))

if wrong:
    print("wrong:", *wrong, sep="\n  ")
    sys.exit(1)
