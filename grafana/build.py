#!/usr/bin/env python3
"""Builds the dashboards: grafana/build.py writes grafana/dashboards/*.json.

This file defines what the dashboards share (variables, units, colors, the grid). A test checks
that the JSON files are up to date. Queries use the daemon's own metrics, so that they work
without the recording rules.
"""

import json
import pathlib

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Label matchers for the fleet: each variable can select all values.
FLEET = 'location=~"$location", team=~"$team"'
TARGET = 'location=~"$location", target="$target"'
HEALTH = {
    "0": {"text": "up", "color": "green", "index": 0},
    "1": {"text": "degraded", "color": "orange", "index": 1},
    "2": {"text": "down", "color": "red", "index": 2},
    "3": {"text": "unknown", "color": "gray", "index": 3},
}
WORST_FIRST = [{"displayName": "Time", "desc": True}]


def query(expr, legend="", instant=False, fmt="time_series"):
    return {
        "datasource": SOURCE,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": fmt,
    }


def panel(kind, title, description, queries, size, unit="short", **more):
    options = more.pop("options", {})
    defaults = {"unit": unit} | more.pop("defaults", {})
    targets = [{"refId": chr(ord("A") + index)} | one for index, one in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": targets,
        "size": size,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": options,
    } | more


def stat(title, description, expr, unit="none", steps=None, size=(4, 4), **more):
    thresholds = {"mode": "absolute", "steps": steps or [{"color": "blue", "value": None}]}
    return panel(
        "stat", title, description, [query(expr, instant=True)], size, unit,
        defaults={"thresholds": thresholds} | more.pop("defaults", {}),
        options={"colorMode": "background_solid", "graphMode": "none", "justifyMode": "center",
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        | more.pop("options", {}),
        **more,
    )


def bad_from(value, color="red"):
    return [{"color": "green", "value": None}, {"color": color, "value": value}]


def lines(title, description, queries, unit="short", size=(12, 8), stack=False, fill=10, **more):
    custom = {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stack else fill,
        "showPoints": "never", "spanNulls": False,
        # Without data, limit the axis so that it does not extend to 100.
        "axisSoftMax": {"s": 0.01, "currencyUSD": 0.1, "reqps": 0.1}.get(unit, 1),
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
    }
    return panel(
        "timeseries", title, description, queries, size, unit,
        defaults={"custom": custom, "min": 0} | more.pop("defaults", {}),
        options={"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                 "tooltip": {"mode": "multi", "sort": "desc"}},
        **more,
    )


# Grafana truncates long names next to bars, so target names are placed above.
def bars(title, description, expr, legend, unit="none", size=(8, 8), steps=None, names="left"):
    thresholds = {"mode": "absolute", "steps": steps or [{"color": "blue", "value": None}]}
    return panel(
        "bargauge", title, description, [query(expr, legend, instant=True)], size, unit,
        defaults={"thresholds": thresholds, "min": 0},
        options={"orientation": "horizontal", "displayMode": "basic", "showUnfilled": False,
                 "valueMode": "text", "namePlacement": names,
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
    )


def row(title):
    return {"type": "row", "title": title, "size": (24, 1), "collapsed": False, "panels": []}


def variable(name, label, expr, multi=True):
    return {
        "type": "query", "name": name, "label": label, "datasource": SOURCE,
        "query": {"query": expr, "refId": name}, "definition": expr, "refresh": 2, "sort": 1,
        "multi": multi, "includeAll": multi, "allValue": ".*" if multi else None,
        "current": {"text": "All", "value": "$__all"} if multi else {},
    }


DATASOURCE = {"type": "datasource", "name": "datasource", "label": "Prometheus",
              "query": "prometheus", "current": {}}
LOCATION = variable("location", "Location", "label_values(probe_success, location)")
TEAM = variable("team", "Team", "label_values(probe_success, team)")


def placed(panels):
    """Places panels from left to right, in rows with the height of their tallest panel."""
    x = y = high = 0
    for number, one in enumerate(panels, start=1):
        width, height = one.pop("size")
        if x + width > 24:
            x, y, high = 0, y + high, 0
        one["id"] = number
        one["gridPos"] = {"x": x, "y": y, "w": width, "h": height}
        x, high = x + width, max(high, height)
    return panels


def dashboard(uid, title, description, variables, panels, annotations=()):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["probecause"],
        "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1,
        "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "",
        "templating": {"list": [DATASOURCE, *variables]},
        "annotations": {"list": list(annotations)},
        "links": [{"type": "dashboards", "title": "Probecause", "tags": ["probecause"],
                   "asDropdown": True, "keepTime": True, "includeVars": True}],
        "panels": placed(panels),
    }


OWNERS = "max by (cause, owner, title) (probecause_cause_info)"
TO_TARGET = [{"title": "Open ${__data.fields.target}",
              "url": "/d/probecause-target?${datasource:queryparam}&${location:queryparam}"
                     "&var-target=${__data.fields.target}&${__url_time_range}"}]


def hidden(name):
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": "custom.hidden", "value": True}]}


def column(name, properties):
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": key, "value": value} for key, value in properties.items()]}


FAILING = panel(
    "table", "What is failing, and why",
    "One row for each failing target and location, with its probable cause and the certainty: "
    "possible is a best guess, proven is a fact about this request. Click a target to open its "
    "dashboard.",
    [
        query(f"probecause_probable_cause{{{FLEET}}} * on (cause) group_left (owner, title) {OWNERS}",
              instant=True, fmt="table"),
        query(f"time() - probecause_incident_start_timestamp_seconds{{{FLEET}}}",
              instant=True, fmt="table"),
    ],
    (24, 11), "short",
    transformations=[
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {
            "excludeByName": {"Time": True, "Value #A": True, "__name__": True, "instance": True,
                              "job": True},
            "indexByName": {"target": 0, "location": 1, "cause": 2, "certainty": 3, "owner": 4,
                            "title": 5, "Value #B": 6, "team": 7},
            "renameByName": {"Value #B": "for", "title": "meaning"}}},
    ],
    overrides=[
        column("for", {"unit": "s", "custom.width": 110}),
        column("target", {"links": TO_TARGET, "custom.width": 220}),
        column("location", {"custom.width": 110}),
        column("team", {"custom.width": 120}),
        column("cause", {"custom.width": 200}),
        column("certainty", {
            "custom.width": 120, "custom.cellOptions": {"type": "color-text"},
            "mappings": [{"type": "value", "options": {
                "possible": {"color": "orange", "index": 0},
                "likely": {"color": "yellow", "index": 1},
                "corroborated": {"color": "green", "index": 2},
                "proven": {"color": "blue", "index": 3}}}]}),
        column("owner", {"custom.width": 100}),
    ],
    options={"showHeader": True, "cellHeight": "sm", "footer": {"show": False},
             "sortBy": [{"displayName": "for", "desc": False}]},
)

fleet = dashboard(
    "probecause-fleet", "Probecause: fleet", "What is failing, and why.", [LOCATION, TEAM],
    [
        stat("Down", "Targets that are down, counted at each location.",
             f'sum(probecause_health{{{FLEET}, state="down"}})', steps=bad_from(1)),
        stat("Degraded", "Targets that respond, but more slowly than expected or with a certificate "
             "that expires soon.",
             f'sum(probecause_health{{{FLEET}, state="degraded"}})', steps=bad_from(1, "orange")),
        stat("Probed", "Probed targets, counted at each location.", f"count(probe_success{{{FLEET}}})"),
        stat("Successful", "The ratio of successful probes in the last hour.",
             f'sum(increase(probecause_probes_total{{{FLEET}, result="success"}}[1h]))'
             f' / sum(increase(probecause_probes_total{{{FLEET}}}[1h]))',
             "percentunit", [{"color": "red", "value": None}, {"color": "orange", "value": 0.99},
                             {"color": "green", "value": 0.999}]),
        stat("Prober failures", "Targets that a prober cannot reach because of its own failure: "
             "their health is unknown, and they do not page.",
             f'count(probecause_probable_cause{{{FLEET}, cause="prober-local"}}) or vector(0)',
             steps=bad_from(1)),
        stat("Unexplained", "Failing targets with a cause that no rule names: consider adding a rule.",
             f'count(probecause_probable_cause{{{FLEET}, cause="unexplained"}}) or vector(0)',
             steps=bad_from(1, "orange")),
        FAILING,
        bars("By cause", "Failing targets by probable cause.",
             f"sort_desc(sum by (cause) (probecause_probable_cause{{{FLEET}}}))", "{{cause}}",
             size=(10, 11), names="top"),
        bars("By owner", "Failing targets by the owner of their cause.",
             f"sort_desc(sum by (owner) (probecause_probable_cause{{{FLEET}}}"
             f" * on (cause) group_left (owner) max by (cause, owner) (probecause_cause_info)))", "{{owner}}", size=(7, 11)),
        bars("By certainty", "Failing targets by the certainty of their cause.",
             f"sort_desc(sum by (certainty) (probecause_probable_cause{{{FLEET}}}))",
             "{{certainty}}", size=(7, 11)),
        lines("Failures by cause", "Failed probes per second, by cause.",
              [query(f"sum by (cause) (rate(probecause_failures_total{{{FLEET}}}"
                     f"[$__rate_interval]))", "{{cause}}")], "reqps", stack=True),
        # Targets that are up are excluded, because a thousand of them would hide the others.
        lines("Unhealthy", "Targets that are down, degraded or unknown.",
              [query(f'sum by (state) (probecause_health{{{FLEET}, state!="up"}})', "{{state}}")],
              stack=True,
              overrides=[column(state, {"color": {"mode": "fixed", "fixedColor": color}})
                         for state, color in [("degraded", "orange"), ("down", "red"),
                                              ("unknown", "gray")]]),
        bars("Slowest", "The ten targets with the longest last probe.",
             f"topk(10, max by (target, location) (probe_duration_seconds{{{FLEET}}}))",
             "{{target}} ({{location}})", "s", (8, 13), names="top"),
        bars("Slowest phases", "The ten longest phases of the last probes.",
             f"topk(10, max by (target, phase) (probe_http_duration_seconds{{{FLEET}}}))",
             "{{target}} {{phase}}", "s", (8, 13), names="top"),
        bars("Certificates", "The ten certificates that expire first.",
             f"bottomk(10, min by (target) (probe_ssl_earliest_cert_expiry{{{FLEET}}}) - time())",
             "{{target}}", "s", (8, 13), names="top",
             steps=[{"color": "red", "value": None}, {"color": "orange", "value": 7 * 86400},
                    {"color": "green", "value": 21 * 86400}]),
    ],
)

PHASES = [("resolve", "purple"), ("connect", "blue"), ("tls", "green"), ("processing", "orange"),
          ("transfer", "yellow")]

RESULTS = [column(name, {"color": {"mode": "fixed", "fixedColor": color}})
           for name, color in [("success", "green"), ("failure", "red"),
                               ("missed: held-up", "purple"), ("missed: no-capacity", "orange"),
                               ("missed: still-running", "yellow")]]


def probable_cause():
    """The name of the cause, or "none" from a second query: without a series, the panel is blank."""
    one = stat("Probable cause", "The probable cause of the current failure, with its certainty.", "",
               size=(8, 4), options={"textMode": "name", "colorMode": "none"})
    found = f"probecause_probable_cause{{{TARGET}}}"
    one["targets"] = [
        {"refId": "A"} | query(found, "{{cause}} ({{certainty}})", instant=True),
        {"refId": "B"} | query(f"absent({found})", "none", instant=True),
    ]
    return one


target = dashboard(
    "probecause-target", "Probecause: one target", "Where the time goes, and why the target fails.",
    [LOCATION, variable("target", "Target",
                        'label_values(probe_success{location=~"$location"}, target)', False)],
    [
        stat("Health", "The worst health of all locations.",
             f'max(probecause_health{{{TARGET}, state="degraded"}}'
             f' or 2 * probecause_health{{{TARGET}, state="down"}}'
             f' or 3 * probecause_health{{{TARGET}, state="unknown"}})', size=(4, 4),
             steps=[{"color": "green", "value": None}, {"color": "orange", "value": 1},
                    {"color": "red", "value": 2}, {"color": "gray", "value": 3}],
             defaults={"mappings": [{"type": "value", "options": HEALTH}]}),
        probable_cause(),
        stat("Status", "The HTTP status of the last response.",
             f"max(probe_http_status_code{{{TARGET}}})", "none"),
        stat("Floor", "The time that this front door takes to respond without reaching the function; "
             "absent while it is unknown.",
             f"max(probecause_floor_seconds{{{TARGET}}})", "s", defaults={"noValue": "unknown"}),
        stat("Certificate", "The time until the certificate expires.",
             f"min(probe_ssl_earliest_cert_expiry{{{TARGET}}}) - time()", "s",
             # The first step is the color for no value; an expired certificate is below zero.
             [{"color": "gray", "value": None}, {"color": "red", "value": -1e12},
              {"color": "orange", "value": 7 * 86400}, {"color": "green", "value": 21 * 86400}],
             defaults={"noValue": "no TLS"}),
        lines("Phases", "The duration of each phase of a probe.",
              [query(f"avg by (phase) (probe_http_duration_seconds{{{TARGET}}})", "{{phase}}")],
              "s", (24, 9), stack=True,
              overrides=[column(phase, {"color": {"mode": "fixed", "fixedColor": color}})
                         for phase, color in PHASES]),
        panel("heatmap", "Processing",
              "Probes per second by the time between the request and the first byte of the "
              "response. A band that moves up is a service that slows down; a line at the top is a "
              "timeout.",
              [query(f"sum by (le) (rate(probecause_processing_seconds_bucket{{{TARGET}}}"
                     f"[$__rate_interval]))", "{{le}}", fmt="heatmap")], (12, 9), "s",
              options={"calculate": False, "yAxis": {"unit": "s", "axisPlacement": "left"},
                       "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
                       "cellGap": 1, "legend": {"show": True}, "tooltip": {"mode": "single"}}),
        lines("Probes", "Probes per second by result, and slots without a probe.",
              [query(f"sum by (result) (rate(probecause_probes_total{{{TARGET}}}"
                     f"[$__rate_interval]))", "{{result}}"),
               query(f"sum by (reason) (rate(probecause_missed_total{{{TARGET}}}"
                     f"[$__rate_interval]))", "missed: {{reason}}")], "reqps", (12, 9), overrides=RESULTS),
        panel("state-timeline", "Health", "The health at each location.",
              [query(f'sum by (location) (probecause_health{{{TARGET}, state="degraded"}})'
                     f' + 2 * sum by (location) (probecause_health{{{TARGET}, state="down"}})'
                     f' + 3 * sum by (location) (probecause_health{{{TARGET}, state="unknown"}})',
                     "{{location}}")], (24, 5), "none",
              defaults={"mappings": [{"type": "value", "options": HEALTH}],
                        "color": {"mode": "thresholds"},
                        "custom": {"fillOpacity": 80, "lineWidth": 0}},
              options={"mergeValues": True, "showValue": "auto", "rowHeight": 0.8,
                       "legend": {"showLegend": False}}),
        panel("state-timeline", "Probable cause",
              "The probable cause over time, with its certainty.",
              [query(f"probecause_probable_cause{{{TARGET}}}",
                     "{{cause}} ({{certainty}}) {{location}}")], (24, 7), "none",
              defaults={"color": {"mode": "fixed", "fixedColor": "red"},
                        "custom": {"fillOpacity": 70, "lineWidth": 0}},
              options={"mergeValues": True, "showValue": "never", "rowHeight": 0.8,
                       "legend": {"showLegend": False}}),
        bars("Error budget by cause",
             "The share of the error budget of 30 days that each cause used, at the location with "
             "the most. The budget is 0.1 % of the time: 43 minutes.",
             "sort_desc(max by (cause, owner) (sum by (instance, location, cause, owner) (increase("
             f"probecause_down_seconds_total{{{TARGET}}}[30d]))) / (30 * 86400 * 0.001))",
             "{{cause}} ({{owner}})", "percentunit", (24, 7), names="top",
             steps=[{"color": "blue", "value": None}, {"color": "red", "value": 1}]),
    ],
    annotations=[{
        "name": "Incidents", "datasource": SOURCE, "enable": True, "iconColor": "red",
        "expr": f"probecause_incident_start_timestamp_seconds{{{TARGET}}} * 1000",
        "useValueForTime": "on", "step": "60s", "titleFormat": "incident opened",
        "textFormat": "{{target}} at {{location}}",
    }],
)

daemon = dashboard(
    "probecause-daemon", "Probecause: the daemon", "The health of the prober itself.",
    [variable("instance", "Instance", "label_values(probecause_build_info, instance)")],
    [
        stat("Daemons", "The number of scraped daemons.",
             'count(probecause_build_info{instance=~"$instance"})'),
        stat("State directory", "Whether incidents, baselines and unsent datapoints are stored on disk.",
             'min(probecause_store_up{instance=~"$instance"})', "none",
             [{"color": "orange", "value": None}, {"color": "green", "value": 1}],
             defaults={"mappings": [{"type": "value", "options": {
                 "0": {"text": "not stored", "index": 0}, "1": {"text": "stored", "index": 1}}}]}),
        stat("Configuration", "Whether the last reload succeeded.",
             'min(probecause_config_last_reload_successful{instance=~"$instance"})', "none",
             [{"color": "red", "value": None}, {"color": "green", "value": 1}],
             defaults={"mappings": [{"type": "value", "options": {
                 "0": {"text": "refused", "index": 0}, "1": {"text": "valid", "index": 1}}}]}),
        stat("In flight", "Probes that are running now.",
             'sum(probecause_probes_in_flight{instance=~"$instance"})'),
        stat("Unsent", "Datapoints that are waiting for CloudWatch.",
             'sum(probecause_spool_datapoints{instance=~"$instance"})', steps=bad_from(5000, "orange")),
        stat("Drifted alarms", "Alarms that differ from the configuration because of manual changes.",
             'sum(probecause_alarms_drifted{instance=~"$instance"})', steps=bad_from(1, "orange")),
        lines("Lag", "The delay of probe starts: median and 99th percentile. The lag of the daemon's "
              "own timer adds to the measured times of probes.",
              [query("histogram_quantile(0.5, sum by (le) (rate("
                     'probecause_schedule_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "median"),
               query("histogram_quantile(0.99, sum by (le) (rate("
                     'probecause_schedule_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "99 %"),
               query("histogram_quantile(0.99, sum by (le) (rate("
                     'probecause_runtime_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "daemon timer, 99 %")], "s"),
        lines("Probes", "Probes per second, by result.",
              [query('sum by (result) (rate(probecause_probes_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{result}}")], "reqps", stack=True,
              overrides=RESULTS),
        lines("Missed", "Slots per second without a probe, by reason.",
              [query('sum by (reason) (rate(probecause_missed_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{reason}}")], "reqps"),
        lines("Dropped", "Dropped reports and datapoints, by sink; dropped evidence requests and "
              "control requests; failed writes to the state directory.",
              [query('sum by (sink) (rate(probecause_sink_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{sink}}"),
               query('sum(rate(probecause_evidence_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "evidence"),
               query('sum(rate(probecause_controls_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "controls"),
               query('sum(rate(probecause_store_failures_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "state directory")], "cps"),
        lines("CloudWatch requests", "Requests per second, by operation and outcome.",
              [query("sum by (operation, outcome) (rate("
                     'probecause_cloudwatch_requests_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{operation}} {{outcome}}")], "reqps"),
        lines("Unsent datapoints", "Datapoints that are waiting for CloudWatch, in memory and on disk.",
              [query('sum by (instance) (probecause_spool_datapoints{instance=~"$instance"})',
                     "{{instance}}")]),
        lines("Alarms", "Alarms with a cause that was written too late; datapoints that CloudWatch "
              "may have received twice.",
              [query('sum(increase(probecause_alarm_updates_late_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "late cause"),
               query("sum(increase("
                     'probecause_cloudwatch_maybe_duplicates_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "possible duplicates")]),
        lines("Cost", "The cost of evidence requests to AWS, in dollars per day at the current "
              "rate.",
              [query("sum(rate("
                     'probecause_evidence_cost_dollars_total{instance=~"$instance"}'
                     "[$__rate_interval])) * 86400", "evidence per day")], "currencyUSD", (6, 8)),
        lines("Series in CloudWatch", "Metric series sent in the current or the previous hour, "
              "which AWS bills hourly.",
              [query('sum(probecause_cloudwatch_series{instance=~"$instance"})', "series")],
              size=(6, 8)),
    ],
)


def main():
    folder = pathlib.Path(__file__).resolve().parent / "dashboards"
    for name, one in [("fleet", fleet), ("target", target), ("daemon", daemon)]:
        (folder / f"{name}.json").write_text(json.dumps(one, indent=2) + "\n")


if __name__ == "__main__":
    main()
