from __future__ import annotations

import pytest

from splatworks_common.artifacts.uri import check_keys
from splatworks_operator.cluster.photo_keys import portable_keys


@pytest.mark.parametrize("name", ["a.jpg", "day-2/IMG_0001.JPG", "x" * 200 + ".jpg", "photo"])
def test_a_portable_name_stays(name: str):
    assert portable_keys([name]) == {name: name}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("b (1).jpg", "b_1.jpg"),
        ("Jour 1/Café d\u2019été.png", "Jour_1/Cafe_dete.png"),
        ("森.jpg", "photo.jpg"),
        ("\udcff.jpg", "photo.jpg"),
        ("../x.jpg", "photo/x.jpg"),
        ("a/./b.jpg", "a/b.jpg"),
        ("/etc/x.jpg", "photo/etc/x.jpg"),
        ("x" * 300 + ".jpg", "x" * 64 + ".jpg"),
    ],
)
def test_another_name_is_made_portable(name: str, key: str):
    assert portable_keys([name]) == {name: key}


def test_names_that_become_the_same_are_told_apart():
    names = ["a b.jpg", "a_b.jpg", "A_B.jpg", "a+b.jpg"]
    keys = portable_keys(names)
    assert keys == {
        "a b.jpg": "a_b-2.jpg",
        "a_b.jpg": "a_b.jpg",
        "A_B.jpg": "A_B.jpg",
        "a+b.jpg": "a_b-3.jpg",
    }
    check_keys(keys.values())
