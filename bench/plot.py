#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Table and plot of what lockstepmux costs, from the JSON of a run of the benchmarks:

    lockstep bench --benchmark_filter=mux/ --benchmark_out=mux.json --benchmark_out_format=json
    bench/plot.py mux.json --svg docs/images/mux.svg

prints the table as Markdown and writes the plot.
"""

import argparse
import json
import math
import re
import sys
from html import escape

# Name of the benchmark, what it is called, its colour, and the dash of its line. In the order of the table.
SERIES = [
    ("by-reference", "mux, by reference", "#0b6e4f", ""),
    ("in-slot", "mux, into the slots", "#1b9aaa", ""),
    ("one-copy", "mux, one copy", "#3d5a98", ""),
    ("two-copies", "two copies of each frame", "#b5541c", "7 4"),
    ("tiler", "mux and tiler, a mosaic", "#7a3e9d", ""),
    ("compositor", "compositor, the same mosaic", "#c1121f", "7 4"),
]
WIDTH, HEIGHT = 880, 520
LEFT, RIGHT, TOP, BOTTOM = 84, 250, 76, 64
INK, PALE = "#222222", "#dddddd"


def read_ratios(path):
    """{series: {number of pads: (median, least, most)}}"""
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)["benchmarks"]
    ratios = {}
    for run in runs:
        match = re.match(r"mux/([a-z-]+)/(\d+)(/|$)", run["name"])
        if match and "value" in run and not run.get("error_occurred"):
            pads = ratios.setdefault(match[1], {})
            pads[int(match[2])] = (run["value"], run["least"], run["most"])
    return {name: ratios[name] for name, *_ in SERIES if name in ratios}


def text_of(ratio):
    """Three digits, as many of them as mean anything."""
    if ratio < 0.1:
        return f"{ratio:.3f}"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def markdown(ratios):
    counts = sorted({count for pads in ratios.values() for count in pads})
    lines = [
        "| CPU time of a batch, of one memcpy of its bytes | " + " | ".join(f"N = {n}" for n in counts) + " |",
        "|---|" + "---|" * len(counts),
    ]
    for name, label, *_ in SERIES:
        if name in ratios:
            cells = [text_of(ratios[name][n][0]) if n in ratios[name] else "–" for n in counts]
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    if "tiler" in ratios and "compositor" in ratios:
        both = [n for n in counts if n in ratios["tiler"] and n in ratios["compositor"]]
        cells = {n: text_of(ratios["tiler"][n][0] / ratios["compositor"][n][0]) for n in both}
        lines.append("| mux and tiler, of the compositor | " + " | ".join(cells.get(n, "–") for n in counts) + " |")
    return "\n".join(lines)


def rounded(ratio, up):
    """The logarithm of the nearest 1, 2 or 5 times a power of ten that is not beyond `ratio`."""
    decade = math.floor(math.log10(ratio))
    steps = [math.log10(digit) + decade for digit in (1, 2, 5, 10)]
    exponent = math.log10(ratio)
    return min(s for s in steps if s >= exponent - 1e-9) if up else max(s for s in steps if s <= exponent + 1e-9)


class Plot:
    """Logarithmic both ways: x by factors of two, y from below the least value to above the greatest."""

    def __init__(self, ratios):
        self.ratios = ratios
        self.counts = sorted({count for pads in ratios.values() for count in pads})
        values = [value for pads in ratios.values() for triple in pads.values() for value in triple if value > 0]
        self.low = rounded(min(values + [1]), up=False)
        self.high = rounded(max(values + [1]), up=True)
        self.parts = []

    def x(self, count):
        first, last = math.log2(self.counts[0]), math.log2(self.counts[-1])
        inset = 36
        share = (math.log2(count) - first) / (last - first) if last > first else 0.5
        return LEFT + inset + share * (WIDTH - LEFT - RIGHT - 2 * inset)

    def y(self, ratio):
        exponent = max(math.log10(ratio), self.low) if ratio > 0 else self.low
        return HEIGHT - BOTTOM - (exponent - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def line(self, x1, y1, x2, y2, colour, width=1.0, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>'
        )

    def text(self, x, y, what, anchor="start", size=13, colour=INK, more=""):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{more}>'
            f"{escape(what)}</text>"
        )

    def axes(self):
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for exponent in range(math.floor(self.low), math.ceil(self.high) + 1):
            for digit in range(1, 10):
                ratio = digit * 10.0**exponent
                if not self.low - 1e-9 <= math.log10(ratio) <= self.high + 1e-9:
                    continue
                if digit == 1:
                    self.line(LEFT, self.y(ratio), right, self.y(ratio), PALE)
                    self.text(LEFT - 8, self.y(ratio) + 4.5, f"{ratio:g}", "end")
                self.line(LEFT, self.y(ratio), LEFT + 4, self.y(ratio), INK)
        for count in self.counts:
            self.line(self.x(count), bottom, self.x(count), bottom + 5, INK)
            self.text(self.x(count), bottom + 21, str(count), "middle")
        self.line(LEFT, TOP, LEFT, bottom, INK)
        self.line(LEFT, bottom, right, bottom, INK)
        self.text((LEFT + right) / 2, HEIGHT - 18, "N, frames of 1920×1080 NV12 in a batch", "middle")
        middle = (TOP + bottom) / 2
        turned = f' transform="rotate(-90 24 {middle:.1f})"'
        self.text(24, middle, "CPU time of a batch / one memcpy of its bytes", "middle", more=turned)
        self.text(LEFT, 28, "What a batch costs, the sources taken out", size=16)
        self.text(LEFT, 50, "medians, and least to most of the repetitions; both axes logarithmic", size=12)
        one = self.y(1)
        self.line(LEFT, one, right, one, INK, 1.5, "2 3")

    def series(self, name, colour, dash):
        points = sorted(self.ratios[name].items())
        path = " ".join(f"{self.x(count):.1f},{self.y(triple[0]):.1f}" for count, triple in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        for count, (median, least, most) in points:
            self.line(self.x(count), self.y(least), self.x(count), self.y(most), colour, 1)
            self.parts.append(
                f'<circle cx="{self.x(count):.1f}" cy="{self.y(median):.1f}" r="4" fill="{colour}"/>'
            )

    def legend(self):
        """Beside the last points, moved apart where they are close."""
        entries = [(self.y(1), "one memcpy", INK)]
        for name, label, colour, _ in SERIES:
            if name in self.ratios:
                last = self.ratios[name][max(self.ratios[name])]
                entries.append((self.y(last[0]), label, colour))
        entries.sort()
        below = TOP - 20.0
        places = []
        for y, label, colour in entries:
            below = max(y, below + 19)
            places.append((below, y, label, colour))
        right = WIDTH - RIGHT
        for place, y, label, colour in places:
            self.line(right + 2, y, right + 16, place, colour, 1)
            self.text(right + 20, place + 4.5, label, colour=colour)

    def svg(self):
        self.axes()
        for name, _, colour, dash in SERIES:
            if name in self.ratios:
                self.series(name, colour, dash)
        self.legend()
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="DejaVu Sans, Verdana, sans-serif">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("json", help="what --benchmark_out wrote")
    parser.add_argument("--svg", help="where the plot goes")
    arguments = parser.parse_args()
    ratios = read_ratios(arguments.json)
    if not ratios:
        sys.exit(f"plot the mux: no benchmark mux/*/N in {arguments.json}; run them with --benchmark_filter=mux/")
    print(markdown(ratios))
    if arguments.svg:
        with open(arguments.svg, "w", encoding="utf-8") as file:
            file.write(Plot(ratios).svg())


if __name__ == "__main__":
    main()
