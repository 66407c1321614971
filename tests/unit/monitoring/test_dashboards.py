"""The dashboards: what Grafana needs to show them, and what a reader needs to understand them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests import monitoring

_EACH = pytest.mark.parametrize("path", monitoring.DASHBOARDS, ids=lambda path: path.stem)


def _panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in monitoring.dashboard(path)["panels"] if panel["type"] != "row"]


def test_dashboards_have_different_uids_and_titles() -> None:
    boards = [monitoring.dashboard(path) for path in monitoring.DASHBOARDS]

    assert [path.stem for path in monitoring.DASHBOARDS] == ["fleet", "job"]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)


def test_links_lead_to_dashboards_of_the_chart() -> None:
    boards = [monitoring.dashboard(path) for path in monitoring.DASHBOARDS]

    assert {link["url"] for board in boards for link in board["links"]} == {
        f"/d/{board['uid']}" for board in boards
    }


@_EACH
def test_panel_ids_are_unique(path: Path) -> None:
    ids = [panel["id"] for panel in monitoring.dashboard(path)["panels"]]

    assert sorted(set(ids)) == sorted(ids)


@_EACH
def test_panels_fit_the_grid_and_do_not_overlap(path: Path) -> None:
    cells = [
        (x, y)
        for panel in monitoring.dashboard(path)["panels"]
        for place in [panel["gridPos"]]
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]

    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} <= set(range(24))


@_EACH
def test_every_panel_says_what_it_shows_and_in_which_unit(path: Path) -> None:
    for panel in _panels(path):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@_EACH
def test_everything_asks_the_chosen_data_source(path: Path) -> None:
    board = monitoring.dashboard(path)
    variables = board["templating"]["list"]
    asking = [
        *variables[1:],
        *_panels(path),
        *(target for panel in _panels(path) for target in panel["targets"]),
    ]

    assert (variables[0]["name"], variables[0]["type"]) == ("datasource", "datasource")
    assert [item["datasource"]["uid"] for item in asking] == ["${datasource}"] * len(asking)


@_EACH
def test_every_query_speaks_of_the_chosen_release(path: Path) -> None:
    board = monitoring.dashboard(path)
    expressions = [target["expr"] for panel in _panels(path) for target in panel["targets"]]

    assert "release" in [variable["name"] for variable in board["templating"]["list"]]
    assert [expression for expression in expressions if 'release="$release"' not in expression] == []
