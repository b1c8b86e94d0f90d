# SPDX-License-Identifier: Apache-2.0
"""One SVG a row: two bars, the rounds as dots on them, the number beside each."""

import html
import os

WIDTH, LEFT, LENGTH, BAR, GAP, TOP = 640, 120, 400, 36, 18, 56
BARS = (("millrace", "Millrace", "#2463a8"), ("kafka", "Apache Kafka", "#8a8f98"))
FONT = 'font-family="sans-serif"'


def text(x, y, words, size=14, fill="#222222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" {FONT} font-size="{size}" fill="{fill}">{html.escape(words)}</text>'


def bar(row, place, longest):
    server, title, colour = BARS[place]
    y, middle = TOP + place * (BAR + GAP), TOP + place * (BAR + GAP) + BAR / 2
    length = LENGTH * row[server] / longest
    parts = [text(8, middle + 5, title),
             f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>']
    parts += [f'<circle cx="{LEFT + LENGTH * value / longest:.1f}" cy="{middle:.1f}" r="3.5" fill="#ffffff" stroke="#222222"/>'
              for value in row["rounds"][server]]
    end = LEFT + LENGTH * max(row[server], *row["rounds"][server]) / longest
    return parts + [text(end + 10, middle + 5, f"{row[server]:g} {row['unit']}")]


def svg(row, footer):
    longest = max(value for values in row["rounds"].values() for value in values) or 1
    height = TOP + len(BARS) * (BAR + GAP) + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             text(8, 24, row["name"], 18), text(8, 43, f"{row['unit']}, {row['better']} is better", 12, "#666666")]
    for place in range(len(BARS)):
        parts += bar(row, place, longest)
    return "\n".join([*parts, text(8, height - 10, footer, 12, "#666666"), "</svg>\n"])


def write(directory, rows, footer):
    """NAME.svg of each row, and index.html with all of them."""
    os.makedirs(directory, exist_ok=True)
    for row in rows:
        with open(os.path.join(directory, row["name"] + ".svg"), "w", encoding="utf-8") as file:
            file.write(svg(row, footer))
    with open(os.path.join(directory, "index.html"), "w", encoding="utf-8") as file:
        file.write("<!doctype html>\n<title>Millrace and Apache Kafka</title>\n"
                   + "".join(f'<p><img src="{row["name"]}.svg" alt="{row["name"]}"></p>\n' for row in rows))
