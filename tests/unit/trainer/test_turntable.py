from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_trainer.turntable import write_turntable
from tests.unit.trainer.captures import ring

COLOUR = (0.8, 0.3, 0.1)


def painted(camera: Camera) -> NDArray[np.float32]:
    return np.full((camera.height, camera.width, 3), COLOUR, np.float32)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "turntable.mp4"
    write_turntable(painted, ring(12), path, threads=1, seconds=0.5, long_side=120)
    return path


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_image()) for frame in container.decode(video=0)]


def test_it_is_a_film_that_every_browser_plays(film: Path):
    with av.open(str(film)) as container:
        [stream] = container.streams.video
        codec = stream.codec_context

        assert (codec.name, codec.pix_fmt, codec.profile) == ("h264", "yuv420p", "High")
        assert (codec.width, codec.height) == (120, 90)
        assert stream.average_rate == 30
        assert stream.frames == 15
        assert len(container.streams) == 1


def test_it_starts_to_play_before_it_has_arrived(film: Path):
    content = film.read_bytes()

    assert content.index(b"moov") < content.index(b"mdat")


def test_its_colours_are_those_of_the_renders(film: Path):
    pictures = frames_of(film)

    expected = np.array(COLOUR) * 255
    assert len(pictures) == 15
    assert max(np.abs(picture.mean(axis=(0, 1)) - expected).max() for picture in pictures) < 4


def test_its_frames_are_in_the_order_of_the_path(tmp_path: Path):
    shades = iter(np.linspace(0, 1, 15))

    def brighter(camera: Camera) -> NDArray[np.float32]:
        return np.full((camera.height, camera.width, 3), next(shades), np.float32)

    write_turntable(brighter, ring(12), tmp_path / "a.mp4", threads=2, seconds=0.5, long_side=64)

    means = [picture.mean() for picture in frames_of(tmp_path / "a.mp4")]
    assert (np.diff(means) > 5).all()


def test_a_pixel_that_is_no_number_is_black(tmp_path: Path):
    def spoiled(camera: Camera) -> NDArray[np.float32]:
        return np.full((camera.height, camera.width, 3), np.nan, np.float32)

    write_turntable(spoiled, ring(3), tmp_path / "a.mp4", threads=1, seconds=0.1, long_side=64)

    assert max(picture.max() for picture in frames_of(tmp_path / "a.mp4")) < 10
