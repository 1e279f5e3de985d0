"""Tests the dashboards with a real Prometheus that scrapes a daemon probing the simulator.

Runs every query of every panel, variable and annotation as Grafana would, and requires data.
Also checks the JSON itself: ids, overlapping panels, units and metric names.

usage: check.py PROBECAUSE PROMETHEUS
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parents[2]
boards = {path.stem: json.loads(path.read_text())
          for path in sorted((root / "grafana/dashboards").glob("*.json"))}
errors = []

# Queries that may return no data here, with the reason.
MAY_BE_EMPTY = {
    "probecause_cloudwatch_requests_total": "the demo has no CloudWatch",
}

# Targets of the demo; a query is run for each target until one returns data.
TARGETS = ["expired", "throttled", "orders", "permission", "malformed"]

# Metrics that the targets of many.py lack: they have no certificates and no gateway.
MISSING_IN_MANY = ["probe_ssl_earliest_cert_expiry", "probecause_floor_seconds"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_for(what, found, seconds):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if found():
                return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.5)
    sys.exit(f"timed out waiting for {what}")


def panels(board):
    return [one for one in board["panels"] if one["type"] != "row"]


def known_names():
    names = set()
    for name in ("catalogue", "daemon_catalogue"):
        text = (root / f"tests/suite/snapshots/suite__metrics__{name}.snap").read_text()
        for metric in re.findall(r"\b(?:probe|probecause)_[a-z_]+", text):
            names |= {metric, metric + "_bucket", metric + "_sum", metric + "_count"}
    # Metrics without a series before their first use (src/io/sink/daemon_metrics.rs).
    return names | {"probecause_cloudwatch_requests_total", "probecause_evidence_requests_total"}


def check_panels(name, board):
    ids = [one["id"] for one in board["panels"]]
    if len(ids) != len(set(ids)):
        errors.append(f"{name}: two panels have the same id")
    taken = {}
    for one in board["panels"]:
        place = one["gridPos"]
        if place["x"] + place["w"] > 24:
            errors.append(f"{name}: {one['title']} is wider than the page")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    errors.append(f"{name}: {one['title']} overlaps {taken[x, y]}")
                taken[x, y] = one["title"]
    for one in panels(board):
        if not one["title"] or len(one["description"]) < 10:
            errors.append(f"{name}: {one['title']} has no description")
        if not one["fieldConfig"]["defaults"].get("unit"):
            errors.append(f"{name}: {one['title']} has no unit")
        if not one["targets"]:
            errors.append(f"{name}: {one['title']} has no query")


def queries(board):
    """All queries of a dashboard, as pairs of a name and an expression."""
    for one in panels(board):
        for target in one["targets"]:
            yield one["title"], target["expr"]
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            yield f"variable {one['name']}", one["definition"]
    for one in board["annotations"]["list"]:
        yield f"annotation {one['name']}", one["expr"]


def substituted(expr, target):
    for name, value in [("$__rate_interval", "20s"), ("$location", ".*"), ("$team", ".*"),
                        ("$instance", ".*"), ("$target", target)]:
        expr = expr.replace(name, value)
    return expr


def run_query(url, expr):
    found = re.fullmatch(r"label_values\((.*), (\w+)\)", expr)
    if found:
        arguments = urllib.parse.urlencode({"match[]": found[1]})
        return len(json.loads(get(f"{url}/label/{found[2]}/values?{arguments}"))["data"])
    now = time.time()
    arguments = urllib.parse.urlencode(
        {"query": expr, "start": now - 40, "end": now, "step": 5})
    answer = json.loads(get(f"{url}/query_range?{arguments}"))
    return len(answer["data"]["result"])


def run_queries(url, targets=TARGETS, may_be_empty=MAY_BE_EMPTY):
    print(f"{'dashboard':9} {'panel':28} {'series':>6}  query")
    for name, board in boards.items():
        for title, expr in queries(board):
            series = 0
            for target in targets if "$target" in expr else targets[:1]:
                try:
                    series = run_query(url, substituted(expr, target))
                except urllib.error.HTTPError as error:
                    errors.append(f"{name}: {title}: {error.read().decode()}\n  {expr}")
                    break
                if series:
                    break
            shown = expr if len(expr) < 70 else expr[:67] + "..."
            print(f"{name:9} {title:28} {series:6}  {shown}")
            if not series and not any(part in expr for part in may_be_empty):
                errors.append(f"{name}: {title} returns no data: {expr}")


def main(probecause, prometheus):
    names = known_names()
    uids = [board["uid"] for board in boards.values()]
    if len(uids) != len(set(uids)) or len(uids) < 3:
        errors.append(f"uids: {uids}")
    for name, board in boards.items():
        check_panels(name, board)
        for title, expr in queries(board):
            for metric in re.findall(r"\b(?:probe|probecause)_[a-z_]+", expr):
                if metric not in names:
                    errors.append(f"{name}: {title}: unknown metric {metric}")

    with tempfile.TemporaryDirectory() as folder:
        page, port = free_port(), free_port()
        demo = subprocess.Popen(
            [probecause, "demo", "--for", "600s", "--listen", f"127.0.0.1:{page}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        config = pathlib.Path(folder) / "prometheus.yml"
        # The second job simulates a second location with the same daemon.
        config.write_text(f"""
global: {{ scrape_interval: 2s }}
scrape_configs:
  - job_name: probecause
    honor_labels: true
    static_configs: [{{ targets: ["127.0.0.1:{page}"] }}]
  - job_name: probecause-elsewhere
    honor_labels: true
    static_configs: [{{ targets: ["localhost:{page}"] }}]
    metric_relabel_configs:
      - {{ source_labels: [location], regex: .+, target_label: location, replacement: elsewhere }}
      - {{ source_labels: [location], regex: .+, target_label: team, replacement: shop }}
""")
        server = subprocess.Popen(
            [prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}/api/v1"
            down = "count(count by (target) (probecause_probable_cause)) >= 7"
            # An integration timeout takes thirty seconds.
            wait_for("failing targets", lambda: run_query(url, down) > 0, 120)
            time.sleep(10)
            run_queries(url)
        finally:
            server.terminate()
            demo.terminate()
            server.wait()
            demo.wait()
    if errors:
        print("errors:", *errors, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
