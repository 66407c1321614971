from __future__ import annotations

import pytest

from splatworks_common.photos import is_named_like_a_photo


@pytest.mark.parametrize("name", ["1.JPG", "IMG_0001", "a/b.heic", "x.tar.png"])
def test_names_of_photos_and_names_that_say_nothing_count(name):
    assert is_named_like_a_photo(name)


@pytest.mark.parametrize("name", ["cameras.json", "a/make.py", "photos.zip", "clip.mp4"])
def test_names_of_something_else_do_not_count(name):
    assert not is_named_like_a_photo(name)
