from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_trainer.charts import Chart, Mark, Point, draw

SVG_WIDTH, SVG_HEIGHT = 520, 260


def points(*values: float) -> list[Point]:
    return [Point(10 * i, value, f"{value} at {10 * i}") for i, value in enumerate(values, 1)]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def data(svg: str) -> list[tuple[float, float, str]]:
    return [tuple(point) for point in json.loads(parsed(svg).attrib["data-points"])]


def test_higher_values_are_drawn_higher_and_later_ones_further_right():
    places = data(draw(Chart("PSNR", points(20, 25, 30))))

    assert [x for x, _, _ in places] == sorted({x for x, _, _ in places})
    assert [y for _, y, _ in places] == sorted({y for _, y, _ in places}, reverse=True)


def test_a_chart_tells_in_words_where_it_begins_and_ends():
    svg = parsed(draw(Chart("PSNR", points(20, 25, 30))))

    assert svg.attrib["aria-label"] == "PSNR: 20 at 10 at the start, 30 at 30 at the end"


def test_equal_ratios_are_equal_heights_on_a_logarithmic_chart():
    (_, first, _), (_, second, _), (_, third, _) = data(
        draw(Chart("Loss", points(1, 0.1, 0.01), logarithmic=True))
    )

    assert second - first == pytest.approx(third - second, abs=0.2)


def test_a_value_that_has_no_logarithm_is_left_out():
    assert len(data(draw(Chart("Loss", points(1, 0, 0.1), logarithmic=True)))) == 2


def test_a_chart_without_points_says_so():
    assert "nothing was recorded" in draw(Chart("PSNR", []))


def test_the_kept_model_has_a_ring():
    svg = draw(Chart("PSNR", points(20, 25, 30), kept=20))

    [ring] = [element for element in parsed(svg).iter() if element.attrib.get("class") == "kept"]
    assert float(ring.attrib["cx"]) == pytest.approx(data(svg)[1][0])


def test_many_points_are_thinned_and_the_last_stays():
    many = [Point(step, step, f"at {step}") for step in range(10_001)]

    drawn = data(draw(Chart("Gaussians", many)))

    assert len(drawn) <= 400
    assert drawn[-1][2] == "at 10000"


def test_words_can_not_become_elements():
    hostile = '"><script>alert(1)</script>'
    svg = draw(Chart(hostile, [Point(1, 1, hostile), Point(2, 2, hostile)], [Mark(1, hostile)]))

    seen: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            seen.append(tag)

    Parser().feed(svg)
    assert "script" not in seen
    assert {label for _, _, label in data(svg)} == {hostile}


def test_the_last_step_ends_the_axis_wherever_its_point_stands():
    svg = draw(Chart("Loss", [Point(100, 1, "late"), Point(10, 2, "early")], [Mark(120, "later still")]))

    assert all(x < SVG_WIDTH for x, _, _ in data(svg))
    [mark] = [element for element in parsed(svg).iter() if element.attrib.get("class") == "mark"]
    assert float(mark.attrib["d"].partition(" ")[0].removeprefix("M")) < SVG_WIDTH


@given(
    st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30),
    st.booleans(),
    st.booleans(),
)
def test_everything_lies_inside_the_picture(values: list[float], logarithmic: bool, scattered: bool):
    svg = draw(Chart("Any", points(*values), logarithmic=logarithmic, scattered=scattered))

    assert all(0 <= x <= SVG_WIDTH and 0 <= y <= SVG_HEIGHT for x, y, _ in data(svg))
    ticks = [element for element in parsed(svg).iter() if element.attrib.get("class") == "left"]
    assert 1 <= len(ticks) <= 11
    assert all(0 <= float(tick.attrib["y"]) <= SVG_HEIGHT for tick in ticks)
