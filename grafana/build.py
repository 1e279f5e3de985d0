#!/usr/bin/env python3
"""Builds the dashboards: grafana/build.py writes grafana/dashboards/*.json.

One place says what all of them share (variables, units, colours, the grid); a test holds
that the files are what this makes. Queries use the daemon's own metrics, so that they work
without the recording rules.
"""

import json
import pathlib

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Of the fleet: every variable may mean all.
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


def bad_from(value, colour="red"):
    return [{"color": "green", "value": None}, {"color": colour, "value": value}]


def lines(title, description, queries, unit="short", size=(12, 8), stack=False, fill=10, **more):
    custom = {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stack else fill,
        "showPoints": "never", "spanNulls": False,
        # Nothing at all must not be drawn on a scale to a hundred.
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


# Names beside their bars are cut where they are long, and those of targets are.
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
    """Lays panels out from left to right, in rows as high as their highest."""
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
TO_TARGET = [{"title": "Look at ${__data.fields.target}",
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
    "One line for each failing target and location, with its probable cause and how certain it "
    "is: possible is a best guess, proven is a statement about this very request. Click a target "
    "to look at it.",
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
            "renameByName": {"Value #B": "for", "title": "what it means"}}},
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
        stat("Degraded", "Targets that answer, but slower or with less time left on their "
             "certificate than expected.",
             f'sum(probecause_health{{{FLEET}, state="degraded"}})', steps=bad_from(1, "orange")),
        stat("Watched", "Targets, counted at each location.", f"count(probe_success{{{FLEET}}})"),
        stat("Successful", "Of the probes of the last hour.",
             f'sum(increase(probecause_probes_total{{{FLEET}, result="success"}}[1h]))'
             f' / sum(increase(probecause_probes_total{{{FLEET}}}[1h]))',
             "percentunit", [{"color": "red", "value": None}, {"color": "orange", "value": 0.99},
                             {"color": "green", "value": 0.999}]),
        stat("Prober's own trouble", "Targets that a prober cannot see for reasons of its own: "
             "nothing is known of them, and nobody is paged for them.",
             f'count(probecause_probable_cause{{{FLEET}, cause="prober-local"}}) or vector(0)',
             steps=bad_from(1)),
        stat("Unexplained", "Failing targets whose cause no rule names: worth a rule.",
             f'count(probecause_probable_cause{{{FLEET}, cause="unexplained"}}) or vector(0)',
             steps=bad_from(1, "orange")),
        FAILING,
        bars("By cause", "Failing targets by probable cause.",
             f"sort_desc(sum by (cause) (probecause_probable_cause{{{FLEET}}}))", "{{cause}}",
             size=(10, 11), names="top"),
        bars("By owner", "Failing targets by who can act on their cause.",
             f"sort_desc(sum by (owner) (probecause_probable_cause{{{FLEET}}}"
             f" * on (cause) group_left (owner) max by (cause, owner) (probecause_cause_info)))", "{{owner}}", size=(7, 11)),
        bars("By certainty", "Failing targets by how certain their cause is.",
             f"sort_desc(sum by (certainty) (probecause_probable_cause{{{FLEET}}}))",
             "{{certainty}}", size=(7, 11)),
        lines("Failures by cause", "Failed probes a second, by cause.",
              [query(f"sum by (cause) (rate(probecause_failures_total{{{FLEET}}}"
                     f"[$__rate_interval]))", "{{cause}}")], "reqps", stack=True),
        # Those that are up are left out: among a thousand of them nobody would see the others.
        lines("Not well", "Targets that are down, degraded or not known yet.",
              [query(f'sum by (state) (probecause_health{{{FLEET}, state!="up"}})', "{{state}}")],
              stack=True,
              overrides=[column(state, {"color": {"mode": "fixed", "fixedColor": colour}})
                         for state, colour in [("degraded", "orange"), ("down", "red"),
                                               ("unknown", "gray")]]),
        bars("Slowest", "The ten that took longest at their last probe.",
             f"topk(10, max by (target, location) (probe_duration_seconds{{{FLEET}}}))",
             "{{target}} ({{location}})", "s", (8, 13), names="top"),
        bars("Worst phases", "Where the time went: the ten longest phases of last probes.",
             f"topk(10, max by (target, phase) (probe_http_duration_seconds{{{FLEET}}}))",
             "{{target}} {{phase}}", "s", (8, 13), names="top"),
        bars("Certificates", "The ten that run out first.",
             f"bottomk(10, min by (target) (probe_ssl_earliest_cert_expiry{{{FLEET}}}) - time())",
             "{{target}}", "s", (8, 13), names="top",
             steps=[{"color": "red", "value": None}, {"color": "orange", "value": 7 * 86400},
                    {"color": "green", "value": 21 * 86400}]),
    ],
)

PHASES = [("resolve", "purple"), ("connect", "blue"), ("tls", "green"), ("processing", "orange"),
          ("transfer", "yellow")]

RESULTS = [column(name, {"color": {"mode": "fixed", "fixedColor": colour}})
           for name, colour in [("success", "green"), ("failure", "red"),
                                ("missed: held-up", "purple"), ("missed: no-capacity", "orange"),
                                ("missed: still-running", "yellow")]]


def probable_cause():
    """Its name; where there is none a second series says so: no value would be drawn blank."""
    one = stat("Probable cause", "Of the failure at present, with how certain it is.", "",
               size=(8, 4), options={"textMode": "name", "colorMode": "none"})
    found = f"probecause_probable_cause{{{TARGET}}}"
    one["targets"] = [
        {"refId": "A"} | query(found, "{{cause}} ({{certainty}})", instant=True),
        {"refId": "B"} | query(f"absent({found})", "none", instant=True),
    ]
    return one


target = dashboard(
    "probecause-target", "Probecause: one target", "Where its time goes, and why it fails.",
    [LOCATION, variable("target", "Target",
                        'label_values(probe_success{location=~"$location"}, target)', False)],
    [
        stat("Health", "The worst of the locations.",
             f'max(probecause_health{{{TARGET}, state="degraded"}}'
             f' or 2 * probecause_health{{{TARGET}, state="down"}}'
             f' or 3 * probecause_health{{{TARGET}, state="unknown"}})', size=(4, 4),
             steps=[{"color": "green", "value": None}, {"color": "orange", "value": 1},
                    {"color": "red", "value": 2}, {"color": "gray", "value": 3}],
             defaults={"mappings": [{"type": "value", "options": HEALTH}]}),
        probable_cause(),
        stat("Status", "Of the last answer.", f"max(probe_http_status_code{{{TARGET}}})", "none"),
        stat("Floor", "The time that this front door takes when it answers without reaching the "
             "function; absent while it is not known.",
             f"max(probecause_floor_seconds{{{TARGET}}})", "s", defaults={"noValue": "unknown"}),
        stat("Certificate", "Time until it runs out.",
             f"min(probe_ssl_earliest_cert_expiry{{{TARGET}}}) - time()", "s",
             # The first is the colour of no value at all; one that ran out is below zero.
             [{"color": "gray", "value": None}, {"color": "red", "value": -1e12},
              {"color": "orange", "value": 7 * 86400}, {"color": "green", "value": 21 * 86400}],
             defaults={"noValue": "no TLS"}),
        lines("Phases", "Where the time of each probe went.",
              [query(f"avg by (phase) (probe_http_duration_seconds{{{TARGET}}})", "{{phase}}")],
              "s", (24, 9), stack=True,
              overrides=[column(phase, {"color": {"mode": "fixed", "fixedColor": colour}})
                         for phase, colour in PHASES]),
        panel("heatmap", "Processing",
              "How many probes a second took how long between the request and the first byte of "
              "its answer. A band that moves up is a service that slows down; a line at the top is "
              "a timeout.",
              [query(f"sum by (le) (rate(probecause_processing_seconds_bucket{{{TARGET}}}"
                     f"[$__rate_interval]))", "{{le}}", fmt="heatmap")], (12, 9), "s",
              options={"calculate": False, "yAxis": {"unit": "s", "axisPlacement": "left"},
                       "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
                       "cellGap": 1, "legend": {"show": True}, "tooltip": {"mode": "single"}}),
        lines("Probes", "Per second, by result; and slots in which none ran.",
              [query(f"sum by (result) (rate(probecause_probes_total{{{TARGET}}}"
                     f"[$__rate_interval]))", "{{result}}"),
               query(f"sum by (reason) (rate(probecause_missed_total{{{TARGET}}}"
                     f"[$__rate_interval]))", "missed: {{reason}}")], "reqps", (12, 9), overrides=RESULTS),
        panel("state-timeline", "Health", "At each location.",
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
              "Which cause was shown when, and how certain it was.",
              [query(f"probecause_probable_cause{{{TARGET}}}",
                     "{{cause}} ({{certainty}}) {{location}}")], (24, 7), "none",
              defaults={"color": {"mode": "fixed", "fixedColor": "red"},
                        "custom": {"fillOpacity": 70, "lineWidth": 0}},
              options={"mergeValues": True, "showValue": "never", "rowHeight": 0.8,
                       "legend": {"showLegend": False}}),
    ],
    annotations=[{
        "name": "Incidents", "datasource": SOURCE, "enable": True, "iconColor": "red",
        "expr": f"probecause_incident_start_timestamp_seconds{{{TARGET}}} * 1000",
        "useValueForTime": "on", "step": "60s", "titleFormat": "incident opened",
        "textFormat": "{{target}} at {{location}}",
    }],
)

daemon = dashboard(
    "probecause-daemon", "Probecause: the daemon", "Whether the prober itself is well.",
    [variable("instance", "Instance", "label_values(probecause_build_info, instance)")],
    [
        stat("Daemons", "That are scraped.",
             'count(probecause_build_info{instance=~"$instance"})'),
        stat("State directory", "1 while incidents, baselines and unsent datapoints are kept.",
             'min(probecause_store_up{instance=~"$instance"})', "none",
             [{"color": "orange", "value": None}, {"color": "green", "value": 1}],
             defaults={"mappings": [{"type": "value", "options": {
                 "0": {"text": "not kept", "index": 0}, "1": {"text": "kept", "index": 1}}}]}),
        stat("Configuration", "Whether the last reload was good.",
             'min(probecause_config_last_reload_successful{instance=~"$instance"})', "none",
             [{"color": "red", "value": None}, {"color": "green", "value": 1}],
             defaults={"mappings": [{"type": "value", "options": {
                 "0": {"text": "refused", "index": 0}, "1": {"text": "good", "index": 1}}}]}),
        stat("In flight", "Probes that run at this moment.",
             'sum(probecause_probes_in_flight{instance=~"$instance"})'),
        stat("Unsent", "Datapoints that wait for CloudWatch.",
             'sum(probecause_spool_datapoints{instance=~"$instance"})', steps=bad_from(5000, "orange")),
        stat("Changed alarms", "Alarms that are not as configured: somebody changed them by hand.",
             'sum(probecause_alarms_drifted{instance=~"$instance"})', steps=bad_from(1, "orange")),
        lines("Lag", "How late probes start: the median, and all but one in a hundred. And how "
              "late the daemon wakes itself: times of probes are too long by as much.",
              [query("histogram_quantile(0.5, sum by (le) (rate("
                     'probecause_schedule_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "median"),
               query("histogram_quantile(0.99, sum by (le) (rate("
                     'probecause_schedule_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "99 %"),
               query("histogram_quantile(0.99, sum by (le) (rate("
                     'probecause_runtime_lag_seconds_bucket{instance=~"$instance"}'
                     "[$__rate_interval])))", "the daemon itself, 99 %")], "s"),
        lines("Probes", "A second, by result.",
              [query('sum by (result) (rate(probecause_probes_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{result}}")], "reqps", stack=True,
              overrides=RESULTS),
        lines("Missed", "Slots a second in which no probe ran, by reason.",
              [query('sum by (reason) (rate(probecause_missed_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{reason}}")], "reqps"),
        lines("Lost on the way", "Reports and datapoints that were given up, by sink; questions "
              "and control requests that found no place; work that the state directory refused.",
              [query('sum by (sink) (rate(probecause_sink_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{sink}}"),
               query('sum(rate(probecause_evidence_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "evidence"),
               query('sum(rate(probecause_controls_dropped_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "controls"),
               query('sum(rate(probecause_store_failures_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "state directory")], "cps"),
        lines("CloudWatch requests", "A second, by operation and outcome.",
              [query("sum by (operation, outcome) (rate("
                     'probecause_cloudwatch_requests_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "{{operation}} {{outcome}}")], "reqps"),
        lines("Unsent datapoints", "That wait for CloudWatch, in memory and on disk.",
              [query('sum by (instance) (probecause_spool_datapoints{instance=~"$instance"})',
                     "{{instance}}")]),
        lines("Alarms", "Alarms that named their cause too late; datapoints that may have arrived "
              "twice.",
              [query('sum(increase(probecause_alarm_updates_late_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "named late"),
               query("sum(increase("
                     'probecause_cloudwatch_maybe_duplicates_total{instance=~"$instance"}'
                     "[$__rate_interval]))", "maybe twice")]),
        lines("What it costs", "Asking AWS about failures, in dollars a day at the present rate; "
              "metric series that are billed by the hour.",
              [query("sum(rate("
                     'probecause_evidence_cost_dollars_total{instance=~"$instance"}'
                     "[$__rate_interval])) * 86400", "evidence a day")], "currencyUSD", (6, 8)),
        lines("Series in CloudWatch", "That were sent in this hour or the last.",
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
