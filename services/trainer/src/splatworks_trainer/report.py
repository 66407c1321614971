"""``report.html``: a finished run on one page that needs nothing but itself.

Everything comes from what the run has written beside it: ``metrics.json``, ``training.log`` and the strips
in ``renders/``. Figures and events that this module does not know are shown by their own names, so a new one
needs no change here. The page loads nothing from anywhere and forbids itself to (Content-Security-Policy);
whatever comes from outside, names of photos above all, is escaped. Its size is bounded, however many photos
and steps there were.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any, TypeGuard

from PIL import Image

from splatworks_common.cameras import preview_name, read_cameras
from splatworks_trainer.charts import Chart, Mark, Point, draw
from splatworks_trainer.config import ranges

MAX_BYTES = 6 << 20
"""No report is larger."""

_MOST_PICTURES = 6
_PICTURE_BYTES = 200_000
"""Three for each view, a third larger as base64: at most 4.8 MB."""

_PICTURE_SIDE = 720
_QUALITIES = (85, 75, 60, 40)
_MOST_ROWS = 200
_LONGEST_NAME = 200

_TILES = ("psnr", "ssim", "gaussians", "steps", "seconds")
_CHARTED = ("progress", "evaluation", "edit")

_CURVES_NOTE = (
    "A chart shows its values under the pointer, or with the arrow keys. "
    "Dotted lines: from here the photos were larger. Ring: the model that was kept."
)

_NAMES = {
    "psnr": "Held-out PSNR",
    "ssim": "Held-out SSIM",
    "training_psnr": "PSNR on training photos",
    "training_ssim": "SSIM on training photos",
    "gaussians": "Gaussians",
    "steps": "Steps",
    "planned_steps": "Planned steps",
    "model_step": "Model is that after step",
    "seconds": "Time",
    "stop_reason": "Ended because of",
    "peak_memory_bytes": "Peak memory",
    "held_out": "Held-out photos",
    "lpips": "Held-out LPIPS",
}

Row = Mapping[str, Any]


def write_report(folder: Path, *, defaults: Mapping[str, object] | None = None) -> Path:
    """Writes ``report.html`` into the folder of a finished run.

    Args:
        folder: Holds ``metrics.json``, ``training.log``, ``cameras.json`` and ``renders/``.
        defaults: The options of the profile that was asked for, by name: those that differ come first.

    Returns:
        The page's path.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    log = [json.loads(line) for line in (folder / "training.log").read_text(encoding="utf-8").splitlines()]
    page = _page(metrics, log, folder, defaults or {})
    path = folder / "report.html"
    # Names of files need not be Unicode: what is not becomes a reference, which browsers show as U+FFFD.
    path.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    return path


def _page(metrics: Row, log: Sequence[Row], folder: Path, defaults: Mapping[str, object]) -> str:
    css, js = _resource("report.css"), _resource("report.js")
    views = metrics.get("views") or []
    shown = _with_strips(_spread(sorted(views, key=_psnr)), folder)
    pictures = shown or _with_strips(_spread(_all_views(folder)), folder)
    return Template(_resource("report.html")).substitute(
        css=css,
        css_hash=_hash(css),
        js=js,
        js_hash=_hash(js),
        tiles="".join(_tile(name, metrics) for name in _tiles(metrics)),
        remarks="".join(f'<p class="remark">{escape(text)}</p>' for text in _remarks(metrics, log)),
        curves_note=_CURVES_NOTE,
        charts="".join(f'<div class="card">{_chart(chart)}</div>' for chart in _charts(metrics, log)),
        pictures_title="Held-out photos" if shown else "Training photos",
        pictures_note=_pictures_note(len(shown), len(views)),
        pictures="".join(_picture(view, strip) for view, strip in pictures),
        views=_views_table(views),
        times=_table(("What", "Time"), _times(metrics, log)),
        options=_options_table(metrics.get("options") or {}, defaults),
        figures=_table(("Figure", "Value"), _figures(metrics)),
        events=_table(("After", "What", "Details"), _events(log)),
    )


# Head ------------------------------------------------------------------------------------------------------


def _tiles(metrics: Row) -> list[str]:
    """The figures for a glance: the usual ones, and every other way to measure the held-out photos."""
    known = [name for name in _TILES if metrics.get(name) is not None]
    others = [
        name
        for name, value in metrics.items()
        if name not in _NAMES
        and any(kind in name for kind in ("psnr", "lpips", "ssim"))
        and _is_number(value)
    ]
    lpips = ["lpips"] if _is_number(metrics.get("lpips")) else []
    return known[:2] + lpips + others[:3] + known[2:]


def _tile(name: str, metrics: Row) -> str:
    planned = metrics.get("planned_steps")
    of = f" <small>of {planned:,}</small>" if name == "steps" and _is_number(planned) else ""
    return f"<div><dt>{escape(_name(name))}</dt><dd>{escape(_value(name, metrics[name]))}{of}</dd></div>"


def _remarks(metrics: Row, log: Sequence[Row]) -> list[str]:
    texts = [str(metrics[name]) for name in ("remark", "turntable_remark") if metrics.get(name)]
    resumes = sum(row.get("event") == "resume" for row in log)
    if resumes:
        texts.append(f"The run was interrupted and continued {resumes} time{'s' * (resumes > 1)}.")
    return texts


# Curves ----------------------------------------------------------------------------------------------------


def _charts(metrics: Row, log: Sequence[Row]) -> list[Chart]:
    lines = _valid(row for row in log if _is_fitting(row))
    marks, kept = _growths(lines), metrics.get("model_step")
    evaluations = [row for row in lines if row.get("event") == "evaluation"]
    progress = [row for row in lines if row.get("event") == "progress"]
    counted = [row for row in lines if row.get("event") in ("edit", "progress")]
    return [
        Chart("Held-out PSNR in dB", _points(evaluations, "psnr"), marks, kept=kept),
        Chart("Held-out SSIM", _points(evaluations, "ssim"), marks, kept=kept),
        Chart("Loss", _points(progress, "loss"), marks, logarithmic=True, scattered=True),
        Chart("Gaussians", _points(counted, "gaussians"), marks),
    ]


def _is_fitting(row: Row) -> bool:
    """Whether a line is of the fit and not of the polish, which counts its own steps."""
    return bool(row.get("course", "train") == "train")


def _valid(lines: Iterable[Row]) -> list[Row]:
    """The lines less those of steps that a restart took back."""
    valid: list[Row] = []
    for line in lines:
        if line.get("event") == "restart" and _is_number(line.get("step")):
            valid = [before for before in valid if before.get("step", 0) <= line["step"]]
        valid.append(line)
    return valid


def _points(rows: Iterable[Row], name: str) -> list[Point]:
    return [
        Point(
            row["step"],
            row[name],
            f"{_value(name, row[name])} at step {row['step']:,} ({_value('seconds', row['seconds'])})",
        )
        for row in rows
        if _is_number(row.get(name)) and _is_number(row.get("step"))
    ]


def _growths(log: Sequence[Row]) -> list[Mark]:
    """Where the photos' size changed."""
    sized = [row for row in log if row.get("event") == "progress" and _is_number(row.get("image_size"))]
    marks = []
    for before, after in pairwise(sized):
        if before["image_size"] != after["image_size"]:
            size = after["image_size"]
            marks.append(Mark(before["step"], "full size" if size == 1 else f"1/{1 / size:.3g} size"))
    return marks


def _chart(chart: Chart) -> str:
    return f"<h3>{escape(chart.title)}</h3>{draw(chart)}<output></output>"


# Pictures --------------------------------------------------------------------------------------------------


def _all_views(folder: Path) -> list[Row]:
    """Every photo by name, as views without figures."""
    return [{"name": camera.name} for camera in read_cameras(folder / "cameras.json")]


def _with_strips(views: Iterable[Row], folder: Path) -> list[tuple[Row, Path]]:
    """The views that have a strip, with its path."""
    strips = [(view, folder / "renders" / preview_name(view["name"])) for view in views]
    return [(view, strip) for view, strip in strips if strip.is_file()][:_MOST_PICTURES]


def _pictures_note(shown: int, views: int) -> str:
    drag = "Drag across a picture, or use the arrow keys, to see the photo or the render."
    right = "On the right is their difference, four times as strong."
    which = f"{shown} of {views}, from the worst to the best. " if 0 < shown < views else ""
    return f"{which}{drag} {right}"


def _picture(view: Row, strip: Path) -> str:
    with Image.open(strip) as image:
        whole = image.convert("RGB")
    width = whole.width // 3
    photo, render, error = (
        _data_uri(whole.crop((panel * width, 0, (panel + 1) * width, whole.height))) for panel in range(3)
    )
    name = escape(_cut(view["name"]))
    figures = " · ".join(
        escape(f"{_name_in_view(key)} {_value(key, value)}")
        for key, value in view.items()
        if _is_number(value)
    )
    return Template(_resource("picture.html")).substitute(
        name=name, figures=figures, photo=photo, render=render, error=error
    )


def _data_uri(picture: Image.Image) -> str:
    """The picture as a JPEG of at most ``_PICTURE_BYTES``, in a data URI."""
    small = picture.copy()
    small.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE), Image.Resampling.LANCZOS)
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            small.save(file, "JPEG", quality=quality, optimize=True)
            if file.tell() <= _PICTURE_BYTES:
                return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
        small = small.resize((max(1, small.width // 2), max(1, small.height // 2)))


# Tables ----------------------------------------------------------------------------------------------------


def _views_table(views: Sequence[Row]) -> str:
    if not views:
        return '<p class="quiet">No photo was held out.</p>'
    columns = [key for key, value in views[0].items() if key != "name" and _is_number(value)]
    rows = [
        (f"<bdi>{escape(_cut(view['name']))}</bdi>", *(escape(_value(key, view.get(key))) for key in columns))
        for view in views[:_MOST_ROWS]
    ]
    left = len(views) - len(rows)
    more = f'<p class="quiet">And {left:,} more in metrics.json.</p>' if left else ""
    return _html_table(("Photo", *(_name_in_view(key) for key in columns)), rows) + more


def _times(metrics: Row, log: Sequence[Row]) -> list[tuple[str, str]]:
    """How long each part took, and a step at each size of the photos."""
    fitted = _first((row for row in log if _is_fitting(row)), "stop")
    polished = _first((row for row in log if not _is_fitting(row)), "stop")
    ends = [
        ("Loading photos, first Gaussians", _first(log, "start")),
        ("Fitting", fitted),
        ("Removing what photos hardly show", _first(log, "significance")),
        ("Measuring, then polishing", polished),
        ("Export" if polished else "Measuring and export", metrics),
    ]
    rows, finished = [], 0.0
    for part, end in ends:
        if end:
            rows.append((part, _value("seconds", end["seconds"] - finished)))
            finished = end["seconds"]
    rows.append(("In all", _value("seconds", metrics["seconds"])))
    spent: dict[float, tuple[float, int]] = {}
    progress = [
        row for row in log if row.get("event") == "progress" and _is_fitting(row) and "image_size" in row
    ]
    for before, after in pairwise(progress):
        if before["image_size"] == after["image_size"] and after["step"] > before["step"]:
            seconds, steps = spent.get(after["image_size"], (0.0, 0))
            spent[after["image_size"]] = (
                seconds + after["seconds"] - before["seconds"],
                steps + after["step"] - before["step"],
            )
    for size, (seconds, steps) in spent.items():
        rows.append((f"A step at {size:.3g} of the size", f"{1000 * seconds / steps:.3g} ms"))
    return rows


def _options_table(options: Row, defaults: Mapping[str, object]) -> str:
    """Every option, those that are not the profile's first."""
    units = {name: limits.unit for name, limits in ranges().items()}
    usual = json.loads(json.dumps(dict(defaults)))
    changed = [name for name in options if name in usual and usual[name] != options[name]]
    names = [*changed, *(name for name in options if name not in changed)]
    rows = [
        (
            escape(name),
            escape(_plain(options[name])),
            escape(_plain(usual[name])) if name in usual else "",
            escape(units.get(name, "")),
        )
        for name in names
    ]
    return _html_table(("Option", "Value", "Profile's value", "Unit"), rows, emphasised=len(changed))


def _figures(metrics: Row) -> list[tuple[str, str]]:
    """Every figure of ``metrics.json`` that fits a line."""
    rows = []
    for name, value in metrics.items():
        if isinstance(value, Mapping) and name != "options":
            rows += [(f"{_name(name)}: {_name(key)}", _value(key, part)) for key, part in value.items()]
        elif value is not None and not isinstance(value, Mapping | list):
            rows.append((_name(name), _value(name, value)))
    return rows[:_MOST_ROWS]


def _events(log: Sequence[Row]) -> list[tuple[str, str, str]]:
    """What is not in a curve."""
    rows = [row for row in log if row.get("event") not in _CHARTED]
    return [
        (
            _value("seconds", row.get("seconds")),
            str(row.get("event")),
            ", ".join(
                f"{_name(key).lower()} {_value(key, value)}"
                for key, value in row.items()
                if key not in ("event", "seconds") and not isinstance(value, Mapping)
            ),
        )
        for row in rows[:_MOST_ROWS]
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _html_table(heads, [[escape(_cut(cell)) for cell in row] for row in rows])


def _html_table(heads: Sequence[str], rows: Iterable[Sequence[str]], emphasised: int = 0) -> str:
    """A table of cells that are HTML already; the first ``emphasised`` rows stand out."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = []
    for index, (first, *others) in enumerate(rows):
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        kind = ' class="changed"' if index < emphasised else ""
        body.append(f'<tr{kind}><th scope="row">{first}</th>{cells}</tr>')
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f'<div class="table">{table}</div>'


# Words -----------------------------------------------------------------------------------------------------


def _value(name: str, value: object) -> str:
    """A figure as people write it."""
    if not _is_number(value):
        return _plain(value)
    if "psnr" in name:
        return f"{value:.2f} dB"
    if "ssim" in name or "lpips" in name:
        return f"{value:.4f}"
    if name.endswith("seconds"):
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes} min {seconds:02} s" if minutes else f"{value:.1f} s"
    if name.endswith("bytes"):
        return f"{value / 1e6:,.0f} MB"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _plain(value: object) -> str:
    words = {None: "none", True: "yes", False: "no"}
    if value is None or isinstance(value, bool):
        return words[value]
    return value if isinstance(value, str) else json.dumps(value)


def _name(name: str) -> str:
    words = name.replace("_", " ").capitalize()
    return _NAMES.get(name, re.sub("psnr|ssim|lpips", lambda found: found[0].upper(), words, flags=re.I))


def _name_in_view(name: str) -> str:
    return _name(name).removeprefix("Held-out ")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _psnr(view: Row) -> float:
    return float(view.get("psnr") or 0)


def _first(log: Iterable[Row], event: str) -> Row | None:
    return next((row for row in log if row.get("event") == event), None)


def _spread(views: Sequence[Row]) -> list[Row]:
    """At most ``_MOST_PICTURES`` views, evenly, the first and the last included."""
    if len(views) <= _MOST_PICTURES:
        return list(views)
    return [views[round(i * (len(views) - 1) / (_MOST_PICTURES - 1))] for i in range(_MOST_PICTURES)]


def _resource(name: str) -> str:
    return (resources.files("splatworks_trainer") / "report_page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
