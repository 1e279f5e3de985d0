"""Checks manifests against the `restricted` level of the pod security standards.

Reads manifests from standard input. Each control is checked on the pods, and then on a copy
that violates the control: a control that does not detect its violation is also an error.

Source: kubernetes.io/docs/concepts/security/pod-security-standards. The names of the controls
are from there, and the controls of the baseline level are included. This script is stricter
than the standard in one respect: it allows no sysctls.
"""

import copy
import sys

import yaml

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
           "persistentVolumeClaim", "projected", "secret"}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def containers(pod):
    kinds = ("containers", "initContainers", "ephemeralContainers")
    return [one for kind in kinds for one in pod.get(kind, [])]


def contexts(pod):
    """The security contexts of the pod and of each of its containers."""
    return [one.get("securityContext", {}) for one in [pod, *containers(pod)]]


def every(pod, holds):
    return all(holds(one.get("securityContext", {})) for one in containers(pod))


def inherited(pod, key, holds):
    """Checks a setting that each container inherits from the pod unless it overrides it."""
    own = pod.get("securityContext", {})
    return every(pod, lambda context: holds(context.get(key, own.get(key))))


def nowhere(pod, key, allowed=(None,)):
    return all(context.get(key) in allowed for context in contexts(pod))


def calls(pod):
    """The handlers of probes and lifecycle hooks."""
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    for one in containers(pod):
        handlers = [one.get(name, {}) for name in probes] + list(one.get("lifecycle", {}).values())
        for handler in handlers:
            yield from (handler.get(kind, {}) for kind in ("httpGet", "tcpSocket"))


def capabilities(context):
    own = context.get("capabilities", {})
    return "ALL" in own.get("drop", []) and set(own.get("add", [])) <= {"NET_BIND_SERVICE"}


def first(pod):
    return pod["containers"][0]


# Name in the standard | check | violation.
CONTROLS = [
    ("HostProcess",
     lambda pod: not any(one.get("windowsOptions", {}).get("hostProcess") for one in contexts(pod)),
     lambda pod: pod["securityContext"].update(windowsOptions={"hostProcess": True})),
    ("Host Namespaces: hostNetwork",
     lambda pod: not pod.get("hostNetwork"), lambda pod: pod.update(hostNetwork=True)),
    ("Host Namespaces: hostPID",
     lambda pod: not pod.get("hostPID"), lambda pod: pod.update(hostPID=True)),
    ("Host Namespaces: hostIPC",
     lambda pod: not pod.get("hostIPC"), lambda pod: pod.update(hostIPC=True)),
    ("Privileged Containers",
     lambda pod: every(pod, lambda context: not context.get("privileged")),
     lambda pod: first(pod)["securityContext"].update(privileged=True)),
    ("Capabilities: drop ALL",
     lambda pod: every(pod, capabilities),
     lambda pod: first(pod)["securityContext"].pop("capabilities")),
    ("Capabilities: add none",
     lambda pod: every(pod, capabilities),
     lambda pod: first(pod)["securityContext"]["capabilities"].update(add=["NET_RAW"])),
    ("HostPath Volumes",
     lambda pod: not any("hostPath" in volume for volume in pod.get("volumes", [])),
     lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    ("Host Ports",
     lambda pod: not any(port.get("hostPort") for one in containers(pod) for port in one.get("ports", [])),
     lambda pod: first(pod)["ports"][0].update(hostPort=9853)),
    ("Host Probes / Lifecycle Hooks",
     lambda pod: not any(call.get("host") for call in calls(pod)),
     lambda pod: first(pod)["livenessProbe"]["httpGet"].update(host="169.254.169.254")),
    ("AppArmor",
     lambda pod: all(one.get("appArmorProfile", {}).get("type") in (None, "RuntimeDefault", "Localhost")
                     for one in contexts(pod)),
     lambda pod: first(pod)["securityContext"].update(appArmorProfile={"type": "Unconfined"})),
    ("SELinux",
     lambda pod: all(one.get("seLinuxOptions", {}).get("type") in SELINUX
                     and not {"user", "role"} & set(one.get("seLinuxOptions", {}))
                     for one in contexts(pod)),
     lambda pod: pod["securityContext"].update(seLinuxOptions={"type": "spc_t"})),
    ("/proc Mount Type",
     lambda pod: nowhere(pod, "procMount", (None, "Default")),
     lambda pod: first(pod)["securityContext"].update(procMount="Unmasked")),
    ("Sysctls",
     lambda pod: nowhere(pod, "sysctls"),
     lambda pod: pod["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}])),
    ("Volume Types",
     lambda pod: all(set(volume) - {"name"} <= VOLUMES for volume in pod.get("volumes", [])),
     lambda pod: pod["volumes"].append({"name": "share", "nfs": {"server": "a", "path": "/"}})),
    ("Privilege Escalation",
     lambda pod: every(pod, lambda context: context.get("allowPrivilegeEscalation") is False),
     lambda pod: first(pod)["securityContext"].pop("allowPrivilegeEscalation")),
    ("Running as Non-root",
     lambda pod: inherited(pod, "runAsNonRoot", lambda value: value is True),
     lambda pod: pod["securityContext"].pop("runAsNonRoot")),
    ("Running as Non-root user",
     lambda pod: nowhere(pod, "runAsUser", {None, *range(1, 1 << 16)}),
     lambda pod: first(pod)["securityContext"].update(runAsUser=0)),
    ("Seccomp: a profile",
     lambda pod: inherited(pod, "seccompProfile",
                           lambda value: (value or {}).get("type") in ("RuntimeDefault", "Localhost")),
     lambda pod: pod["securityContext"].pop("seccompProfile")),
    ("Seccomp: not unconfined",
     lambda pod: inherited(pod, "seccompProfile",
                           lambda value: (value or {}).get("type") in ("RuntimeDefault", "Localhost")),
     lambda pod: first(pod)["securityContext"].update(seccompProfile={"type": "Unconfined"})),
]

documents = [one for one in yaml.safe_load_all(sys.stdin) if one]
pods = [one["spec"]["template"]["spec"] for one in documents if "template" in one.get("spec", {})]
errors = [] if pods else ["no pods found"]
for pod in pods:
    for name, holds, breaks in CONTROLS:
        broken = copy.deepcopy(pod)
        breaks(broken)
        if not holds(pod):
            errors.append(f"{name}: violated")
        elif holds(broken):
            errors.append(f"{name}: does not detect a violation")
        else:
            print("ok:", name)
if errors:
    print("errors:", *errors, sep="\n  ")
    sys.exit(1)
