"""Draws a Grafana dashboard from what a Prometheus answers, as one HTML page, for people to look at
where there is no Grafana. It knows the panels that config/grafana/ uses and nothing more.

    python3 tests/tools/render_dashboard.py DASHBOARD.json http://127.0.0.1:9090 OUT.html \
        [VARIABLE=VALUE...] [hours=24]

A query that Prometheus refuses ends it with 1. The last line says how many panels stayed empty.
"""

import html
import json
import sys
import time
import urllib.parse
import urllib.request

COLOURS = ["#5794f2", "#ff9830", "#73bf69", "#f2495c", "#b877d9", "#fade2a", "#8ab8ff", "#ffb357"]
NAMED = {"green": "#37872d", "orange": "#e0752d", "red": "#c4162a", "blue": "#1f60c4"}
CELL, ROW = 64, 38


def ask(base, path, **values):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(values)}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{values['query']}\n{error.read().decode()}")


def unit(value, kind):
    if kind in ("bytes", "Bps"):
        for name in ("B", "KiB", "MiB", "GiB", "TiB"):
            if abs(value) < 1024 or name == "TiB":
                return f"{value:.4g} {name}" + ("/s" if kind == "Bps" else "")
            value /= 1024
    if kind == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} s"
    if kind == "percentunit":
        return f"{100 * value:.3g} %"
    return f"{value:.4g}" + (" °C" if kind == "celsius" else "")


def legend(form, metric):
    if form == "__auto":
        return ", ".join(f"{k}={v}" for k, v in metric.items() if k != "__name__") or "value"
    for name, value in metric.items():
        form = form.replace("{{" + name + "}}", value)
    return form


class Board:
    def __init__(self, board, base, variables, hours):
        self.board, self.base, self.variables = board, base, variables
        self.end = time.time()
        self.start = self.end - 3600 * hours
        self.empty = []

    def expression(self, target):
        text = target["expr"]
        for name, value in self.variables.items():
            text = text.replace("$" + name, value)
        return text

    def instant(self, target):
        return ask(self.base, "query", query=self.expression(target), time=self.end)

    def ranged(self, target):
        step = max(1, int((self.end - self.start) / 300))
        return ask(self.base, "query_range", query=self.expression(target), start=self.start,
                   end=self.end, step=step)

    def stat(self, panel, width, height):
        found = self.instant(panel["targets"][0])
        if not found:
            return None
        value = float(found[0]["value"][1])
        defaults = panel["fieldConfig"]["defaults"]
        colour = "green"
        for step in defaults.get("thresholds", {}).get("steps", []):
            if step["value"] is None or value >= step["value"]:
                colour = step["color"]
        words = unit(value, defaults["unit"])
        for mapping in defaults.get("mappings", []):
            words = mapping["options"].get(f"{value:g}", {}).get("text", words)
        return f'<div class=stat style="background:{NAMED[colour]}">{html.escape(words)}</div>'

    def table(self, panel, width, height):
        renamed = next(t["options"]["renameByName"] for t in panel["transformations"]
                       if t["id"] == "organize")
        units = {o["matcher"]["options"]: o["properties"][0]["value"]
                 for o in panel["fieldConfig"]["overrides"]}
        columns = [renamed.get(f"Value #{t['refId']}", renamed.get("Value"))
                   for t in panel["targets"]]
        rows, labels = {}, []
        for column, target in zip(columns, panel["targets"]):
            for series in self.instant(target):
                metric = {k: v for k, v in series["metric"].items() if k != "__name__"}
                labels += [k for k in metric if k not in labels]
                row = rows.setdefault(tuple(sorted(metric.items())), {})
                row[column] = unit(float(series["value"][1]), units.get(column, "short"))
        if not rows:
            return None
        head = "".join(f"<th>{html.escape(c)}</th>" for c in labels + columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(dict(key).get(name, ''))}</td>" for name in labels)
            + "".join(f"<td>{html.escape(row.get(name, ''))}</td>" for name in columns) + "</tr>"
            for key, row in sorted(rows.items()))
        return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"

    def lines(self, panel):
        for target in panel["targets"]:
            for series in self.ranged(target):
                points = [(float(at), float(value)) for at, value in series["values"]]
                yield legend(target["legendFormat"], series["metric"]), points

    def timeseries(self, panel, width, height):
        lines = sorted(self.lines(panel))
        if not lines:
            return None
        defaults = panel["fieldConfig"]["defaults"]
        stacked = defaults["custom"]["stacking"]["mode"] == "normal"
        below, drawn = {}, []
        for name, points in lines:
            base = [(at, below.get(at, 0.0) if stacked else 0.0) for at, _ in points]
            tops = [(at, value + under) for (at, value), (_, under) in zip(points, base)]
            below.update(tops)
            drawn.append((name, tops, base))
        values = [v for _, tops, _ in drawn for _, v in tops]
        low = min(values + [defaults["min"]] if "min" in defaults else values)
        high = max(values + ([defaults["max"]] if "max" in defaults else []))
        high = high if high > low else low + 1
        left, bottom = 70, height - 34
        x = lambda at: left + (at - self.start) / (self.end - self.start) * (width - left - 10)
        y = lambda v: bottom - (v - low) / (high - low) * (bottom - 8)
        path = lambda points: " ".join(f"{x(at):.1f},{y(v):.1f}" for at, v in points)
        out = [f'<svg width={width} height={height}>']
        for n in range(5):
            value = low + (high - low) * n / 4
            out.append(f'<line x1={left} x2={width - 10} y1={y(value):.0f} y2={y(value):.0f} '
                       f'stroke="#333"/><text x={left - 6} y={y(value) + 4:.0f} '
                       f'text-anchor=end>{html.escape(unit(value, defaults["unit"]))}</text>')
        for n, (name, tops, base) in enumerate(drawn):
            fixed = next((o["properties"][0]["value"]["fixedColor"]
                          for o in panel["fieldConfig"]["overrides"]
                          if o["matcher"]["options"] == name), None)
            colour = NAMED.get(fixed, "#555" if fixed else COLOURS[n % len(COLOURS)])
            if stacked:
                out.append(f'<polygon points="{path(tops)} {path(base[::-1])}" fill="{colour}" '
                           'opacity=".4"/>')
            out.append(f'<polyline points="{path(tops)}" fill=none stroke="{colour}"/>')
            out.append(f'<text x={left + 130 * n} y={height - 4} style="fill:{colour}">'
                       f'{html.escape(name[:20])}</text>')
        return "".join(out) + "</svg>"

    def state_timeline(self, panel, width, height):
        rows = sorted(self.lines(panel))
        if not rows:
            return None
        states = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
        step, tall = (self.end - self.start) / 300, (height - 20) / len(rows)
        out = [f'<svg width={width} height={height}>']
        for n, (row, points) in enumerate(rows):
            out.append(f'<text x=4 y={n * tall + tall / 2 + 4:.0f}>{html.escape(row)}</text>')
            for at, value in points:
                colour = NAMED.get(states[f"{value:g}"]["color"], "#333")
                x = 40 + (at - self.start) / (self.end - self.start) * (width - 50)
                wide = step / (self.end - self.start) * (width - 50) + 1
                out.append(f'<rect x={x:.1f} y={n * tall + 2:.0f} width={wide:.1f} '
                           f'height={tall - 4:.0f} fill="{colour}"/>')
        return "".join(out) + "</svg>"

    def page(self):
        out = ["""<!doctype html><meta charset=utf-8><style>
body{background:#111217;color:#ccccdc;font:13px sans-serif;margin:0;position:relative}
.p{position:absolute;background:#181b1f;border:1px solid #2c3235;overflow:hidden}
h3{margin:4px 8px;font-size:13px}.stat{margin:4px 8px;padding:16px;font-size:28px;color:#fff}
th,td{text-align:left;padding:2px 14px 2px 8px;border-bottom:1px solid #2c3235}
svg text{fill:#ccccdc;font-size:11px}.none{color:#888;margin:24px;font-size:18px}</style>"""]
        for panel in self.board["panels"]:
            grid = panel["gridPos"]
            width, height = grid["w"] * CELL - 8, grid["h"] * ROW - 8
            draw = getattr(self, panel["type"].replace("-", "_"))
            drawn = draw(panel, width, height - 28)
            if drawn is None:
                self.empty.append(panel["title"])
                drawn = "<div class=none>No data</div>"
            out.append(f'<div class=p style="left:{grid["x"] * CELL}px;top:{grid["y"] * ROW}px;'
                       f'width:{width}px;height:{height}px"><h3>{html.escape(panel["title"])}</h3>'
                       f"{drawn}</div>")
        return "".join(out)


def main():
    file, base, out, *rest = sys.argv[1:]
    variables = dict(pair.split("=", 1) for pair in rest)
    hours = float(variables.pop("hours", 24))
    with open(file, encoding="utf-8") as source:
        board = Board(json.load(source), base, variables, hours)
    with open(out, "w", encoding="utf-8") as page:
        page.write(board.page())
    panels = len(board.board["panels"])
    print(f"{panels - len(board.empty)} of {panels} panels have data; empty: {board.empty}")


main()
