"""Line charts as inline SVG: drawn once, readable without a script, coloured by the page's style sheet.

Every point carries its place and what to say about it (``data-points``), so that a script that shows values
under the pointer needs to know no scale. Texts are escaped here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 520, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 24, 30
_MOST_POINTS = 400
_MOST_DOTS = 40


@dataclass(frozen=True)
class Point:
    """One value: at which step, how much, and what to say about it."""

    step: float
    value: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A step at which something changed, and a word for it."""

    step: float
    word: str


@dataclass(frozen=True)
class Chart:
    """What to draw.

    Attributes:
        title: What the values are.
        points: In order of their steps.
        marks: Drawn as vertical lines.
        logarithmic: Draws values, all above 0, by their logarithm.
        scattered: Draws the points pale, and their running mean as the line.
        kept: The step of the point to ring, if any.
    """

    title: str
    points: Sequence[Point]
    marks: Sequence[Mark] = ()
    logarithmic: bool = False
    scattered: bool = False
    kept: float | None = None


def draw(chart: Chart) -> str:
    """The chart as an ``<svg>`` element; one without points says so."""
    points = _thinned([point for point in chart.points if point.value > 0 or not chart.logarithmic])
    if not points:
        return f'<p class="quiet">{escape(chart.title)}: nothing was recorded.</p>'
    lift = math.log10 if chart.logarithmic else float
    low, high = _padded([lift(point.value) for point in points])
    last = max([point.step for point in points] + [mark.step for mark in chart.marks])

    def x(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / max(last, 1)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - lift(value)) / (high - low)

    places = [(x(point.step), y(point.value)) for point in points]
    first, end = points[0], points[-1]
    summary = f"{chart.title}: {first.label} at the start, {end.label} at the end"
    data = json.dumps(
        [[round(px, 1), round(py, 1), p.label] for (px, py), p in zip(places, points, strict=True)]
    )
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" tabindex="0" '
        f'aria-label="{escape(summary)}" data-points="{escape(data)}">'
    ]
    for value in _log_ticks(low, high) if chart.logarithmic else _ticks(low, high):
        parts.append(f'<path class="grid" d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="left" x="{_LEFT - 8}" y="{y(value) + 4:.1f}">{_short(value)}</text>')
    for step in _ticks(0, last):
        parts.append(
            f'<text class="below" x="{x(step):.1f}" y="{_HEIGHT - _BOTTOM + 18}">{_short(step)}</text>'
        )
    for mark in chart.marks:
        parts.append(f'<path class="mark" d="M{x(mark.step):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text class="word" x="{x(mark.step) + 3:.1f}" y="{_TOP - 8}">{escape(mark.word)}</text>'
        )
    line = _running_mean(places) if chart.scattered else places
    if chart.scattered:
        parts.append(f'<path class="pale" d="{_line(places)}"/>')
    parts.append(f'<path class="line" d="{_line(line)}"/>')
    if len(places) == 1 or (len(places) <= _MOST_DOTS and not chart.scattered):
        parts += [f'<circle class="dot" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>' for px, py in places]
    for place, point in zip(places, points, strict=True):
        if point.step == chart.kept:
            parts.append(f'<circle class="kept" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="6"/>')
    parts.append(
        f'<g class="here" hidden="hidden"><path d="M0 {_TOP}V{_HEIGHT - _BOTTOM}"/><circle r="4"/></g>'
    )
    return "".join([*parts, "</svg>"])


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most ``_MOST_POINTS`` of them, evenly, the last one included."""
    every = max(1, math.ceil(len(points) / _MOST_POINTS))
    return list(points[::-1][::every][::-1])


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in places)


def _running_mean(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each place at the mean height of those about it, a tenth of all; fewer towards the ends."""
    reach = len(places) // 20
    smooth = []
    for index, (px, _) in enumerate(places):
        near = min(reach, index, len(places) - 1 - index)
        about = places[index - near : index + near + 1]
        smooth.append((px, sum(py for _, py in about) / len(about)))
    return smooth


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """The range of the values with a little air; never empty."""
    low, high = min(values), max(values)
    air = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - air, high + air


def _ticks(low: float, high: float) -> list[float]:
    """Four to eleven round numbers from ``low`` to ``high``."""
    if high <= low:
        return [low]
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    size = next((factor * unit for factor in (5, 2) if factor * unit <= rough), unit)
    return [size * number for number in range(math.ceil(low / size), math.floor(high / size) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """About eight at most of 1, 2, 5, 10, ... with logarithms between the two; powers of ten if need be."""
    apart = max(1, round((high - low) / 6))
    factors = (1, 2, 5) if high - low < 3 else (1,)
    numbers = [
        factor * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        if power % apart == 0
        for factor in factors
    ]
    inside = [number for number in numbers if low <= math.log10(number) <= high]
    return inside or [10 ** ((low + high) / 2)]


def _short(value: float) -> str:
    """A tick's number in a few characters: 1.5M, 20k, 0.85."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
