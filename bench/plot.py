# SPDX-License-Identifier: Apache-2.0
"""Draw step times over sizes, both axes logarithmic, as an SVG that needs nothing else."""

import math

WIDTH, HEIGHT = 300, 240  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 40, 44
TITLES = {
    "width": ("Width, same nonzeros", "channels"),
    "sparsity": ("Kept fraction, width 512", "one over the fraction"),
    "length": ("Length, same tokens", "tokens of a sequence"),
}
STYLE = """
  text { font: 11px sans-serif; fill: #333 }
  .title { font-weight: bold; font-size: 12px }
  .x { text-anchor: middle } .y { text-anchor: end }
  .grid { stroke: #ddd } .line { stroke: #0b6; stroke-width: 2; fill: none } .dot { fill: #0b6 }
  .paper { fill: #fff }
"""


def milliseconds(value):
    return f"{value:,.0f} ms" if value >= 1 else f"{value:.1f} ms"


def ticks(least, most):
    """Return 1, 2 and 5 times powers of ten around the values."""
    steps = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]
    first = max(i for i, s in enumerate(steps) if s <= least)
    last = min(i for i, s in enumerate(steps) if s >= most)
    return steps[first : last + 1]


def panel(series, left):
    x, y = series["x"], [1e3 * s for s in series["step_s"]]
    levels = ticks(min(y), max(y))
    title, unit = TITLES[series["series"]]

    def across(value):
        share = math.log(value / x[0]) / math.log(x[-1] / x[0])
        return left + LEFT + share * (WIDTH - LEFT - RIGHT)

    def down(value):
        share = math.log(value / levels[0]) / math.log(levels[-1] / levels[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    yield f'<text class="title" x="{left + LEFT}" y="16">{title}</text>'
    yield f'<text x="{left + LEFT}" y="31">slope {series["slope"]:.2f}, at the end {series["last_slope"]:.2f}</text>'
    for level in levels:
        yield (f'<line class="grid" x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" '
               f'y1="{down(level):.1f}" y2="{down(level):.1f}"/>')
        yield f'<text class="y" x="{left + LEFT - 5}" y="{down(level) + 4:.1f}">{milliseconds(level)}</text>'
    points = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in zip(x, y))
    yield f'<polyline class="line" points="{points}"/>'
    for a, b in zip(x, y):
        yield f'<circle class="dot" cx="{across(a):.1f}" cy="{down(b):.1f}" r="3"/>'
        yield f'<text class="x" x="{across(a):.1f}" y="{HEIGHT - BOTTOM + 16}">{a}</text>'
    yield f'<text class="x" x="{left + (LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}">{unit}</text>'


def growth(results):
    total = WIDTH * len(results)
    parts = [line for i, series in enumerate(results) for line in panel(series, i * WIDTH)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {HEIGHT}" width="{total}" '
            f'height="{HEIGHT}" role="img" aria-label="step time over width, sparsity and length">',
            "<!-- SPDX-License-Identifier: Apache-2.0 -->",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{total}" height="{HEIGHT}"/>',
            *parts,
            "</svg>\n",
        ]
    )
