from __future__ import annotations

import io

import numpy as np
from PIL import Image

from splatworks_common.splats import Splats
from splatworks_rasterizer import Objective, Rates
from splatworks_trainer.engines.native import NativeEngine
from splatworks_trainer.preview import preview_camera, preview_jpeg
from tests.unit.trainer.captures import looking, ring
from tests.unit.trainer.pretend_engine import PretendEngine


def ball(count: int = 200) -> Splats:
    rng = np.random.default_rng(1)
    return Splats(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        log_scales=np.full((count, 3), -2, np.float32),
        quats=rng.normal(size=(count, 4)).astype(np.float32),
        opacities=np.full(count, 2, np.float32),
        sh0=rng.normal(size=(count, 3)).astype(np.float32),
        shN=np.zeros((count, 15, 3), np.float32),
    )


def test_the_view_is_fixed_central_and_small():
    cameras = [looking((x, 0, 0), (x, 0, 5), name=str(x)) for x in (0, 1, 2, 3, 4)]
    cameras = [camera.resized(1920, 1080) for camera in cameras]

    view = preview_camera(cameras)

    assert (view.name, view.width, view.height) == ("2", 480, 270)


def test_it_is_a_jpeg_of_the_render():
    camera = preview_camera(ring(8))

    jpeg = preview_jpeg(PretendEngine(greys=[128]).render, camera)

    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (camera.width, camera.height))
        assert np.abs(np.asarray(image).astype(int) - 128).max() <= 1


def test_pixels_that_are_no_numbers_stop_nothing():
    jpeg = preview_jpeg(PretendEngine(greys=[np.nan]).render, preview_camera(ring(8)))

    with Image.open(io.BytesIO(jpeg)) as image:
        assert np.asarray(image).max() == 0


def test_a_preview_in_between_changes_nothing_about_training():
    camera = ring(1)[0]
    photo = np.random.default_rng(2).integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)
    rates = Rates(1e-3, 1e-3, 1e-3, 1e-2, 1e-2, 1e-3)

    def trained(*, watched: bool) -> dict[str, np.ndarray]:
        engine = NativeEngine(ball(), capacity=300, threads=2)
        for _ in range(5):
            engine.step(camera, photo, rates, Objective(3, 0.2))
            if watched:
                preview_jpeg(engine.render, preview_camera(ring(8)))
        return {name: np.asarray(values) for name, values in engine.state().items()}

    watched, alone = trained(watched=True), trained(watched=False)

    assert watched.keys() == alone.keys()
    assert all(np.array_equal(watched[name], alone[name]) for name in alone)
