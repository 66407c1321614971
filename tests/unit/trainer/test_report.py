from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from splatworks_trainer.config import STANDARD
from splatworks_trainer.report import MAX_BYTES, write_report
from tests.unit.trainer.finished_run import write_run


class Page(HTMLParser):
    """A page as a browser without scripts would read it.

    Attributes:
        text: All text outside of style and script.
        elements: Every element's name and attributes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside = tag if tag in ("style", "script") else self._inside

    def handle_endtag(self, tag):
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data):
        if not self._inside:
            self.text += data + "\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(folder: Path, **given) -> Page:
    defaults = given.pop("defaults", None)
    write_run(folder, **given)
    return Page(write_report(folder, defaults=defaults).read_text())


def test_the_figures_for_a_glance_come_first(tmp_path: Path):
    page = report(tmp_path)

    head = page.text[: page.text.index("Curves")]
    assert all(figure in head for figure in ("26.00 dB", "0.8000", "20,000", "1 min 15 s", "of 120"))


def test_there_is_a_curve_of_each_kind(tmp_path: Path):
    page = report(tmp_path)

    labels = [str(svg["aria-label"]) for svg in page.all("svg")]
    assert [label.partition(":")[0] for label in labels] == [
        "Held-out PSNR in dB",
        "Held-out SSIM",
        "Loss",
        "Gaussians",
    ]
    assert "25.00 dB at step 100 (1 min 02 s) at the end" in labels[0]


def test_each_picture_has_words_for_those_who_do_not_see_it(tmp_path: Path):
    page = report(tmp_path)

    assert len(page.all("img")) == 9
    assert all(image["alt"] for image in page.all("img"))
    assert all(slider["aria-label"] for slider in page.all("input"))


def test_at_most_six_photos_are_shown_from_the_worst_to_the_best(tmp_path: Path):
    page = report(tmp_path, photos=[f"{i}.jpg" for i in range(20)])

    photos = [str(image["alt"]) for image in page.all("img") if str(image["alt"]).startswith("Photo")]
    assert (len(photos), photos[0], photos[-1]) == (6, "Photo 0.jpg", "Photo 19.jpg")
    assert "6 of 20, from the worst to the best" in page.text


def test_without_held_out_photos_training_photos_are_shown_as_such(tmp_path: Path):
    page = report(tmp_path, held_out=False, metrics={"remark": "No photo was held out of 3."})

    assert "Training photos" in page.text
    assert "No photo was held out of 3." in page.text
    assert "Held-out PSNR in dB: nothing was recorded" in page.text
    assert len(page.all("img")) == 9


def test_a_photo_without_a_strip_is_left_out(tmp_path: Path):
    write_run(tmp_path)
    (tmp_path / "renders" / "b.jpg").unlink()

    page = Page(write_report(tmp_path).read_text())

    assert len(page.all("img")) == 6


def test_options_that_are_not_the_profiles_come_first(tmp_path: Path):
    usual = {**STANDARD.__dict__, "seed": 7}

    page = report(tmp_path, defaults=usual)

    table = page.text[page.text.index("Profile's value") :]
    assert re.sub(r"\s+", " ", table).startswith("Profile's value Unit seed 0 7 seed max_steps")
    assert len([row for row in page.all("tr") if row.get("class") == "changed"]) == 1


def test_options_as_the_profile_has_them_stand_out_nowhere(tmp_path: Path):
    page = report(tmp_path, defaults=STANDARD.__dict__)

    assert not [row for row in page.all("tr") if row.get("class") == "changed"]


def test_times_add_up_to_the_whole(tmp_path: Path):
    page = report(tmp_path)

    assert re.search(
        r"Loading photos, first Gaussians\s+2\.0 s\s+Fitting\s+1 min 00 s\s+"
        r"Removing what photos hardly show\s+3\.0 s\s+Measuring, then polishing\s+5\.0 s\s+"
        r"Export\s+5\.0 s\s+In all\s+1 min 15 s",
        page.text,
    )


def test_the_time_of_a_step_is_told_at_each_size(tmp_path: Path):
    page = report(tmp_path)

    assert re.search(r"A step at 0\.5 of the size\s+500 ms", page.text)


def test_figures_and_events_that_nobody_told_it_of_are_shown(tmp_path: Path):
    page = report(
        tmp_path,
        metrics={"covered_psnr": 27.5, "polish": {"steps": 240, "psnr_before": 26.5}},
        events=[{"event": "rest", "seconds": 30.0, "step": 60, "halved_rates": True}],
    )

    head = page.text[: page.text.index("Curves")]
    assert "Covered PSNR" in head
    assert "27.50 dB" in head
    assert re.search(r"Polish: PSNR before\s+26\.50 dB", page.text)
    assert re.search(r"rest\s+step 60, halved rates yes", page.text.replace("Steps", "step"))


def values(page: Page, title: str) -> list[tuple[float, float, str]]:
    """The points of the chart of that title: where they lie, and what is said of them."""
    [svg] = [svg for svg in page.all("svg") if str(svg["aria-label"]).startswith(title)]
    return [tuple(point) for point in json.loads(str(svg["data-points"]))]


def test_the_curves_are_those_of_the_fit_and_not_of_the_polish(tmp_path: Path):
    page = report(tmp_path)

    labels = [label for _, _, label in values(page, "Loss")]
    assert labels[-1].startswith("0.01 at step 100 ")
    assert not any(label.startswith("50 ") for label in labels)


def test_what_a_restart_took_back_is_in_no_curve(tmp_path: Path):
    page = report(tmp_path)

    labels = [label for _, _, label in values(page, "Gaussians")]
    steps = [int(re.findall(r"at step (\d+)", label)[0]) for label in labels]
    assert steps == list(range(10, 101, 10))
    assert "(47.0 s)" in labels[6]


def test_lines_that_name_no_course_are_of_the_fit(tmp_path: Path):
    write_run(tmp_path)
    log = tmp_path / "training.log"
    log.write_text(log.read_text().replace(', "course": "train"', ""))

    page = Page(write_report(tmp_path).read_text())

    assert len(values(page, "Loss")) == 10


def test_a_run_that_was_interrupted_says_so(tmp_path: Path):
    page = report(tmp_path, events=[{"event": "resume", "seconds": 20.0, "step": 40}] * 2)

    assert "continued 2 times" in page.text


def test_the_page_names_no_address_and_forbids_itself_all(tmp_path: Path):
    write_run(tmp_path)
    html = write_report(tmp_path).read_text()

    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,)", html)
    assert "url(" not in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "name",
    ['<img src=x onerror="alert(1)">.jpg', "</script><script>alert(1)</script>.jpg", "'\"&amp;$css.jpg"],
)
def test_a_hostile_name_is_text_and_nothing_else(tmp_path: Path, name: str):
    tame, hostile = tmp_path / "tame", tmp_path / "hostile"
    tame.mkdir()
    hostile.mkdir()

    page = report(hostile, photos=[name], events=[{"event": name, "seconds": 1.0, name: name}])

    expected = report(tame, photos=["a.jpg"], events=[{"event": "a", "seconds": 1.0, "a": "a"}])
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in expected.elements]
    assert name in page.text
    assert page.all("img")[0]["alt"] == f"Photo {name}"


def test_a_name_that_is_not_unicode_can_be_written(tmp_path: Path):
    page = report(tmp_path, photos=["caf\udce9.jpg"])

    assert len(page.all("img")) == 3


def test_a_name_of_any_length_stays_readable(tmp_path: Path):
    write_run(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    metrics["views"] = [{"name": "x" * 230, "psnr": 20.0, "ssim": 0.5}]
    metrics["stop_reason"] = "y" * 5000
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "cameras.json").write_text('{"cameras": []}')

    page = Page(write_report(tmp_path).read_text())

    assert max(map(len, page.text.splitlines())) <= 200


def test_its_size_is_bounded_however_much_there_is_to_show(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (720, 2160, 3), dtype=np.uint8)
    photos = [f"{'long' * 15}-{i}.jpg" for i in range(1000)]
    write_run(tmp_path, photos=photos[:1], strip=noise)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    metrics["views"] = [{"name": name, "psnr": 20.0, "ssim": 0.5} for name in photos[:6] * 2000]
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    strip = next((tmp_path / "renders").iterdir())
    for name in photos[1:6]:
        (tmp_path / "renders" / name).symlink_to(strip)
    with (tmp_path / "training.log").open("a") as log:
        for step in range(101, 20_000):
            line = {"event": "progress", "seconds": 99.0, "step": step, "loss": 0.1, "gaussians": step}
            log.write(json.dumps(line) + "\n")
            log.write(json.dumps({"event": "pause", "seconds": 99.0}) + "\n")

    size = write_report(tmp_path).stat().st_size

    assert 1_000_000 < size < MAX_BYTES
