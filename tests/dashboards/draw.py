"""Draws the dashboards with data from Prometheus and without Grafana, to check that they are
readable. It uses the grid, the queries and the legends of the dashboards.

usage: draw.py PROMETHEUS_URL OUT_FOLDER [TARGET]
Writes NAME-dark.html and NAME-light.html for each dashboard, and NAME-dark-grafana.html and
NAME-light-grafana.html, which load panels.js (built by render/build). Open them in a browser.
"""

import html
import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parents[2]
COLORS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0",
           "#37872d", "#fade2a", "#447ebc", "#c15c17"]
NAMED = {"green": "#299c46", "orange": "#eb7b18", "red": "#d44a3a", "blue": "#3274d9",
         "gray": "#808080", "yellow": "#e0b400", "purple": "#8f3bb8"}
STYLE = """
body { font: 12px Inter, sans-serif; margin: 8px; background: var(--page); color: var(--text); }
.grid { position: relative; } h1 { font-size: 16px; margin: 4px 0 8px; }
.panel { position: absolute; box-sizing: border-box; background: var(--panel); overflow: hidden;
  border: 1px solid var(--line); border-radius: 3px; padding: 4px 8px; }
.panel h2 { font-size: 13px; font-weight: 500; margin: 0 0 4px; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 3px 6px;
  border-bottom: 1px solid var(--line); white-space: nowrap; overflow: hidden; max-width: 420px; }
.stat { font-size: 30px; font-weight: 600; text-align: center; padding-top: 14px; height: 100%;
  border-radius: 3px; } .legend { font-size: 11px; } .legend b { display: inline-block; width: 12px;
  height: 3px; margin: 0 4px 3px 8px; } .bar { height: 14px; border-radius: 2px; }
.empty { text-align: center; padding-top: 30px; opacity: .6; }
"""
DARK = ":root { --page: #111217; --panel: #181b1f; --text: #ccccdc; --line: #2a2d33; }"
LIGHT = ":root { --page: #f4f5f5; --panel: #fff; --text: #24292e; --line: #dfe0e2; }"


def shown(value, unit):
    if value != value:
        return "NaN"
    if unit == "percentunit":
        return f"{value * 100:.2f} %"
    if unit == "s":
        for size, name in [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]:
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g}" if value != int(value) else f"{int(value)}"


def color(panel, value):
    found = None
    for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return NAMED.get(found, found or "#3274d9")


def text_of(panel, value):
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
        if str(int(value)) in mapping["options"]:
            return mapping["options"][str(int(value))]["text"]
    return shown(value, panel["fieldConfig"]["defaults"]["unit"])


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(labels.values()) or "value"
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


class Source:
    def __init__(self, url, target):
        self.url, self.target, self.now = url, target, time.time()

    def ask(self, expr, instant):
        for name, value in [("$__rate_interval", "20s"), ("$location", ".*"), ("$team", ".*"),
                            ("$instance", ".*"), ("$target", self.target)]:
            expr = expr.replace(name, value)
        arguments = {"query": expr, "time": self.now}
        if not instant:
            arguments = {"query": expr, "start": self.now - 120, "end": self.now, "step": 2}
        path = "query" if instant else "query_range"
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        return json.load(urllib.request.urlopen(url))["data"]["result"]


def stat(panel, source):
    results_by_query = [(query, source.ask(query["expr"], True)) for query in panel["targets"]]
    found = [(query, one) for query, series in results_by_query for one in series]
    defaults = panel["fieldConfig"]["defaults"]
    if not found:
        return f'<div class="stat">{defaults.get("noValue", "No data")}</div>'
    query, first = found[0]
    if panel["options"].get("textMode") == "name":
        return f'<div class="stat">{html.escape(legend(query, first["metric"]))}</div>'
    value = float(first["value"][1])
    return (f'<div class="stat" style="background:{color(panel, value)};color:#fff">'
            f"{html.escape(text_of(panel, value))}</div>")


def bars(panel, source, height):
    target = panel["targets"][0]
    found = [(legend(target, one["metric"]), float(one["value"][1]))
             for one in source.ask(target["expr"], True)]
    if not found:
        return '<div class="empty">No data</div>'
    most = max(abs(value) for _, value in found) or 1
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = [f"<tr><td>{html.escape(name)}</td><td style='width:50%'><div class=bar style='width:"
            f"{max(1, abs(value) / most * 100):.0f}%;background:{color(panel, value)}'></div></td>"
            f"<td>{shown(value, unit)}</td></tr>" for name, value in found]
    return f"<table>{''.join(rows)}</table>"


def lines(panel, source, width, height):
    series = [(legend(target, one["metric"]), [(t, float(v)) for t, v in one["values"]])
              for target in panel["targets"] for one in source.ask(target["expr"], False)]
    if not series:
        return '<div class="empty">No data</div>'
    fixed = {one["matcher"]["options"]: NAMED.get(prop["value"]["fixedColor"])
             for one in panel["fieldConfig"]["overrides"] for prop in one["properties"]
             if prop["id"] == "color"}
    start, end, height = source.now - 120, source.now, height - 70
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    below = {}
    drawn = []
    for name, points in series:
        points = [(t, 0 if v != v else v) for t, v in points]
        if stacked:
            points = [(t, v + below.get(t, 0)) for t, v in points]
            below.update(dict(points))
        drawn.append((name, points))
    most = max((v for _, points in drawn for _, v in points), default=0) or 1
    paths, names = [], []
    for number, (name, points) in enumerate(drawn):
        ink = fixed.get(name) or COLORS[number % len(COLORS)]
        place = [f"{(t - start) / (end - start) * (width - 70) + 50:.1f},"
                 f"{height - v / most * (height - 10):.1f}" for t, v in points]
        paths.append(f'<polyline points="{" ".join(place)}" fill="none" stroke="{ink}"/>')
        names.append(f'<b style="background:{ink}"></b>{html.escape(name)}')
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axis = "".join(f'<text x="0" y="{height - part * (height - 10) + 4:.0f}" font-size="10" '
                   f'fill="currentColor">{shown(most * part, unit)}</text>' for part in (0, .5, 1))
    return (f'<svg width="{width - 20}" height="{height}">{axis}{"".join(paths)}</svg>'
            f'<div class="legend">{"".join(names)}</div>')


def timeline(panel, source, width):
    rows = []
    for target in panel["targets"]:
        for one in source.ask(target["expr"], False):
            cells = []
            for t, value in one["values"]:
                x = (t - source.now + 120) / 120 * 76 + 24
                ink = "#d44a3a"
                for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
                    ink = NAMED[mapping["options"][str(int(float(value)))]["color"]]
                cells.append(f'<rect x="{x}%" y="2" width="1.4%" height="18" fill="{ink}"/>')
            name = html.escape(legend(target, one["metric"]))
            rows.append(f'<svg width="{width - 20}" height="24"><text y="16" font-size="11" '
                        f'fill="currentColor">{name}</text>{"".join(cells)}</svg>')
    return "".join(rows) or '<div class="empty">No data</div>'


def table(panel, source):
    merged = {}
    for number, target in enumerate(panel["targets"]):
        for one in source.ask(target["expr"], True):
            labels = one["metric"]
            key = (labels.get("target"), labels.get("location"))
            merged.setdefault(key, {}).update(labels)
            merged[key][f"Value #{'AB'[number]}"] = float(one["value"][1])
    organize = panel["transformations"][-1]["options"]
    order = sorted(organize["indexByName"], key=organize["indexByName"].get)
    head = "".join(f"<th>{organize['renameByName'].get(name, name)}</th>" for name in order)
    rows = []
    for one in sorted(merged.values(), key=lambda one: one.get("Value #B", 0)):
        cells = [shown(one[name], "s") if name == "Value #B" and name in one
                 else html.escape(str(one.get(name, ""))) for name in order]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def heat(panel, source, width, height):
    found = source.ask(panel["targets"][0]["expr"], False)
    found.sort(key=lambda one: float(one["metric"]["le"].replace("+Inf", "inf")))
    cells, before = [], {}
    step = (height - 50) / max(1, len(found))
    most = max((float(v) for one in found for _, v in one["values"]), default=1) or 1
    for number, one in enumerate(found):
        y = height - 50 - (number + 1) * step
        cells.append(f'<text x="0" y="{y + step / 2 + 4:.0f}" font-size="10" fill="currentColor">'
                     f'{one["metric"]["le"]}</text>')
        for t, value in one["values"]:
            own = float(value) - before.get(t, 0)
            before[t] = float(value)
            if own > 0:
                x = (t - source.now + 120) / 120 * (width - 70) + 45
                cells.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="8" height="{step - 1:.0f}" '
                             f'fill="#ff780a" opacity="{min(1, own / most + .15):.2f}"/>')
    return f'<svg width="{width - 20}" height="{height - 40}">{"".join(cells)}</svg>'


def draw(board, source, theme):
    parts = []
    bottom = 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        width, height = place["w"] * 58, place["h"] * 34
        bottom = max(bottom, (place["y"] + place["h"]) * 38)
        body = {
            "stat": lambda: stat(panel, source),
            "bargauge": lambda: bars(panel, source, height),
            "timeseries": lambda: lines(panel, source, width, height),
            "state-timeline": lambda: timeline(panel, source, width),
            "table": lambda: table(panel, source),
            "heatmap": lambda: heat(panel, source, width, height),
        }[panel["type"]]()
        parts.append(f'<div class="panel" style="left:{place["x"] * 58}px;top:{place["y"] * 38}px;'
                     f'width:{width - 6}px;height:{place["h"] * 38 - 6}px"><h2>'
                     f'{html.escape(panel["title"])}</h2>{body}</div>')
    return (f"<!doctype html><meta charset=utf-8><style>{theme}{STYLE}</style>"
            f"<h1>{html.escape(board['title'])}</h1>"
            f'<div class="grid" style="height:{bottom}px">{"".join(parts)}</div>')


def grafana_page(board, source, mode):
    """A page with panels rendered by Grafana's published components (render/panels.jsx)."""
    panels = [one for one in board["panels"] if one["type"] != "row"]
    drawn = {}
    for one in panels:
        place = one["gridPos"]
        if one["type"] == "state-timeline":
            drawn[one["id"]] = timeline(one, source, place["w"] * 58)
        elif one["type"] == "heatmap":
            drawn[one["id"]] = heat(one, source, place["w"] * 58, place["h"] * 34)
    results = {one["id"]: [source.ask(query["expr"], query["instant"]) for query in one["targets"]]
               for one in panels}
    data = {"theme": mode, "board": board, "results": results, "drawn": drawn,
            "from": (source.now - 120) * 1000, "to": source.now * 1000}
    theme = DARK if mode == "dark" else LIGHT
    # Otherwise a string in the data could close the script element.
    text = json.dumps(data).replace("</", "<\\/")
    return (f"<!doctype html><meta charset=utf-8><style>{theme} body {{ background: var(--page); "
            f"color: var(--text); margin: 8px; }}</style><link rel=stylesheet href=panels.css><div id=board></div>"
            f"<script>window.BOARD = {text};</script><script src=panels.js></script>")


def main(url, out, target="throttled"):
    source = Source(url, target)
    for path in sorted((root / "grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for name, theme in [("dark", DARK), ("light", LIGHT)]:
            file = pathlib.Path(out) / f"{path.stem}-{name}.html"
            file.write_text(draw(board, source, theme))
            print(file)
            file = file.with_name(f"{path.stem}-{name}-grafana.html")
            file.write_text(grafana_page(board, source, name))
            print(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
