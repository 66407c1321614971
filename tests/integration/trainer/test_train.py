from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from splatworks_common.cameras import read_cameras
from splatworks_common.ply import is_antialiased, read_ply
from splatworks_common.progress import silent
from splatworks_common.reasons import InputInvalid, InputNotFound, StageError
from splatworks_rasterizer import psnr, render
from splatworks_trainer.config import Holdout, StrategyName
from splatworks_trainer.steps import STEPS
from splatworks_trainer.stopping import StopReason
from splatworks_trainer.train import train
from splatworks_trainer.views import Photos
from tests.integration.trainer.conftest import HEIGHT, PHOTOS, SMALL, WIDTH, Run, camera_around
from tests.unit.trainer.colmap_files import CameraRow, ImageRow, PointRow, cameras_bin, images_bin, points_bin


def lines_of(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_training_learns_views_it_has_not_seen(trained: Run) -> None:
    evaluations = [
        line["psnr"] for line in lines_of(trained.output / "training.log") if line["event"] == "evaluation"
    ]

    assert trained.summary.psnr is not None
    assert trained.summary.psnr > 26
    assert evaluations[-1] > evaluations[0] + 3  # type: ignore[operator]


def test_the_figures_are_those_of_the_model_as_written(trained: Run, capture: Path) -> None:
    assert trained.summary.psnr == pytest.approx(held_out_psnr(trained.output, capture), abs=1e-4)


def test_the_model_lies_where_the_cameras_it_was_given_saw_it(trained: Run, capture: Path) -> None:
    picture = render(read_ply(trained.output / "model.ply"), camera_around(0), threads=2)

    assert psnr(picture, photo_of(capture, "00.jpg")) > 22


@pytest.mark.parametrize("antialiased", [False, True])
def test_the_model_says_whether_it_was_trained_antialiased(
    capture: Path, tmp_path: Path, antialiased: bool
) -> None:
    train(capture, tmp_path, replace(SMALL, max_steps=20, antialiased=antialiased), silent, 2)

    assert is_antialiased(tmp_path / "model.ply") == antialiased


def test_metrics_say_how_good_how_long_and_why_it_ended(trained: Run) -> None:
    metrics = json.loads((trained.output / "metrics.json").read_text())

    assert metrics["options"] == json.loads(json.dumps(asdict(SMALL)))
    assert [view["name"] for view in metrics["views"]] == ["00.jpg", "08.jpg"]
    assert np.mean([view["psnr"] for view in metrics["views"]]) == pytest.approx(metrics["psnr"])
    assert np.mean([view["ssim"] for view in metrics["views"]]) == pytest.approx(metrics["ssim"])
    assert (metrics["photos"], metrics["held_out"], metrics["planned_steps"]) == (PHOTOS, 2, 500)
    assert metrics["stop_reason"] in set(StopReason)
    assert metrics["gaussians"] == len(read_ply(trained.output / "model.ply"))
    assert 0 < metrics["model_step"] <= metrics["steps"] <= 500
    assert (metrics["lpips"] is None) == bool(metrics["lpips_remark"])
    assert metrics["seconds"] > 0
    assert metrics["peak_memory_bytes"] > 1 << 20


def test_cameras_tell_every_view_at_the_training_size(trained: Run) -> None:
    cameras = read_cameras(trained.output / "cameras.json")

    assert [camera.name for camera in cameras] == [f"{i:02}.jpg" for i in range(PHOTOS)]
    assert {(camera.width, camera.height) for camera in cameras} == {(WIDTH, HEIGHT)}
    assert [camera.name for camera in cameras if camera.held_out] == ["00.jpg", "08.jpg"]


def test_strips_show_photo_render_and_error_of_the_held_out_views(trained: Run) -> None:
    strips = sorted((trained.output / "renders").iterdir())

    assert [strip.name for strip in strips] == ["00.jpg", "08.jpg"]
    with Image.open(strips[0]) as image:
        assert (image.format, image.size) == ("JPEG", (3 * WIDTH, HEIGHT))
        photo, picture, _ = np.split((np.asarray(image) / 255).astype(np.float32), 3, axis=1)
    assert psnr(photo, picture) > 22


def test_the_log_begins_with_the_options_and_ends_with_the_reason(trained: Run) -> None:
    lines = lines_of(trained.output / "training.log")

    assert lines[0]["event"] == "start"
    assert lines[0]["options"] == json.loads(json.dumps(asdict(SMALL)))
    stop = next(line for line in lines if line["event"] == "stop")
    assert stop["reason"] == trained.summary.stop_reason


def test_progress_goes_through_the_steps_in_order(trained: Run) -> None:
    names = list(dict.fromkeys(update.step for update in trained.updates))

    assert names == [step for step in STEPS if step != "polish"]
    assert sum(STEPS.values()) == pytest.approx(1)
    assert all(0 <= update.done <= update.total for update in trained.updates)


def test_the_budget_is_reached_and_never_exceeded(trained: Run) -> None:
    counts = [line["gaussians"] for line in lines_of(trained.output / "training.log") if "gaussians" in line]

    assert max(counts) == SMALL.max_gaussians  # type: ignore[type-var]


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(capture: Path, tmp_path: Path) -> None:
    options = replace(SMALL, max_steps=60)
    for threads in (1, 2):
        train(capture, tmp_path / str(threads), options, silent, threads)

    one, two = ((tmp_path / str(threads) / "model.ply").read_bytes() for threads in (1, 2))

    assert one == two


def test_another_seed_gives_another_model(capture: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        train(capture, tmp_path / str(seed), replace(SMALL, max_steps=20, seed=seed), silent, 2)

    one, two = ((tmp_path / str(seed) / "model.ply").read_bytes() for seed in (1, 2))

    assert one != two


def test_the_target_psnr_ends_training(capture: Path, tmp_path: Path) -> None:
    options = replace(SMALL, target_psnr=18.0, evaluations=20)

    summary = train(capture, tmp_path, options, silent, 2)

    assert summary.stop_reason is StopReason.TARGET_PSNR
    assert summary.steps < SMALL.max_steps
    assert summary.psnr is not None
    assert summary.psnr >= 18


def test_a_plateau_ends_training(capture: Path, tmp_path: Path) -> None:
    options = replace(SMALL, evaluations=30, plateau_patience=2, plateau_min_delta=0.5)

    summary = train(capture, tmp_path, options, silent, 2)

    lines = lines_of(tmp_path / "training.log")
    last_edit = max(line["step"] for line in lines if line["event"] == "edit")  # type: ignore[type-var]
    settled: list[float] = [
        line["psnr"]  # type: ignore[misc]
        for line in lines
        if line["event"] == "evaluation" and line["step"] > last_edit  # type: ignore[operator]
    ]
    assert summary.stop_reason is StopReason.PLATEAU
    assert summary.steps < SMALL.max_steps
    assert settled[-3] > settled[0] + 0.5, "it went on while it learned"
    assert max(settled[-2:]) <= settled[-3] + 0.5, "it ended after two evaluations without a gain"


def test_sh_degree_zero_writes_no_higher_bands(capture: Path, tmp_path: Path) -> None:
    train(capture, tmp_path, replace(SMALL, max_steps=20, sh_degree=0), silent, 2)

    assert read_ply(tmp_path / "model.ply").sh_degree == 0


def test_without_held_out_photos_the_metrics_say_so(capture: Path, tmp_path: Path) -> None:
    summary = train(
        capture, tmp_path, replace(SMALL, max_steps=20, holdout=Holdout.NONE, polish=0.1), silent, 2
    )

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert summary.psnr is None
    assert metrics["psnr"] is None
    assert metrics["views"] == []
    assert "No photo was held out" in metrics["remark"]
    assert metrics["polish_steps"] == 0
    assert len(list((tmp_path / "renders").iterdir())) == PHOTOS


def test_the_polish_uses_every_photo_and_leaves_the_figures_as_they_were(
    capture: Path, tmp_path: Path
) -> None:
    rough = replace(SMALL, max_steps=60)

    plain = train(capture, tmp_path / "plain", rough, silent, 2)
    polished = train(capture, tmp_path / "polished", replace(rough, polish=0.5), silent, 2)

    metrics = json.loads((tmp_path / "polished/metrics.json").read_text())
    assert (polished.psnr, polished.steps) == (plain.psnr, plain.steps)
    assert metrics["polish_steps"] == 30
    assert "before the last 30 steps" in metrics["remark"]
    assert held_out_psnr(tmp_path / "polished", capture) > held_out_psnr(tmp_path / "plain", capture) + 0.5


def test_what_photos_hardly_show_is_removed_and_told(capture: Path, tmp_path: Path) -> None:
    options = replace(SMALL, max_steps=100, prune_significance=0.02)

    summary = train(capture, tmp_path, options, silent, 2)

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    before = [line["gaussians"] for line in lines_of(tmp_path / "training.log") if line["event"] == "edit"]
    assert metrics["insignificant"] > 0
    assert summary.gaussians == before[-1] - metrics["insignificant"]
    assert metrics["psnr_after_pruning"] == pytest.approx(summary.psnr)
    assert metrics["psnr_before_pruning"] == pytest.approx(metrics["psnr_after_pruning"], abs=0.5)


def test_mcmc_learns_the_capture_too_and_keeps_the_budget(capture: Path, tmp_path: Path) -> None:
    options = replace(SMALL, strategy=StrategyName.MCMC, densify_rounds=20)

    summary = train(capture, tmp_path, options, silent, 2)

    counts = [line["gaussians"] for line in lines_of(tmp_path / "training.log") if "gaussians" in line]
    assert summary.psnr is not None
    assert summary.psnr > 24
    assert max(counts) == SMALL.max_gaussians  # type: ignore[type-var]


def test_what_a_mask_ignores_neither_trains_nor_counts(capture: Path, tmp_path: Path) -> None:
    spoiled = copied(capture, tmp_path / "capture")
    for path in sorted((spoiled / "dense/images").iterdir()):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[:20, :30] = (255, 0, 255)
        Image.fromarray(pixels).save(path, quality=95)
        mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
        mask[:24, :32] = 0
        (spoiled / "dense/masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(spoiled / "dense/masks" / f"{path.name}.png")

    summary = train(spoiled, tmp_path / "out", SMALL, silent, 2)

    shown = render(read_ply(tmp_path / "out/model.ply"), camera_around(0), threads=2)[:20, :30]
    assert summary.psnr is not None
    assert summary.psnr > 26
    assert psnr(shown, photo_of(capture, "00.jpg")[:20, :30]) > 20


def test_learned_exposures_make_up_for_photos_of_other_brightness(capture: Path, tmp_path: Path) -> None:
    uneven = copied(capture, tmp_path / "capture")
    for index, path in enumerate(sorted((uneven / "dense/images").iterdir())):
        gain = (0.7, 1.0)[index % 2]
        pixels = np.asarray(Image.open(path)) * gain
        Image.fromarray(np.rint(pixels).astype(np.uint8)).save(path, quality=95)

    blind = train(uneven, tmp_path / "blind", SMALL, silent, 2)
    aware = train(uneven, tmp_path / "aware", replace(SMALL, exposure=True), silent, 2)

    assert aware.compensated_psnr is not None
    assert blind.compensated_psnr is not None
    assert aware.compensated_psnr > blind.compensated_psnr + 0.5


def test_a_film_and_a_report_come_with_the_model(trained: Run) -> None:
    assert b"ftyp" in (trained.output / "turntable.mp4").read_bytes()[:16]
    assert "<html" in (trained.output / "report.html").read_text()[:200]


def photo_of(capture: Path, name: str) -> NDArray[np.float32]:
    with Image.open(capture / "dense/images" / name) as image:
        return np.asarray(image, np.float32) / np.float32(255)


def copied(capture: Path, folder: Path) -> Path:
    shutil.copytree(capture, folder)
    return folder


def held_out_psnr(output: Path, capture: Path) -> float:
    """That of the model as written."""
    splats = read_ply(output / "model.ply")
    cameras = [camera for camera in read_cameras(output / "cameras.json") if camera.held_out]
    photos = Photos(capture / "dense/images", cameras, max_side=WIDTH)
    measured = [
        psnr(render(splats, camera, threads=2), (photos.at(i).photo / 255).astype(np.float32))
        for i, camera in enumerate(cameras)
    ]
    return float(np.mean(measured))


@pytest.fixture
def spoilt(capture: Path, tmp_path: Path) -> Path:
    """A copy of the capture for a test to spoil."""
    return Path(shutil.copytree(capture, tmp_path / "spoilt"))


def png(levels: NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(levels).save(data, format="png")
    return data.getvalue()


NO_POINTS = points_bin([])
CUT_POINTS = points_bin([PointRow()])[:-4]
UNKNOWN_PHOTO = images_bin([ImageRow("gone.jpg")])
NAN_POSE = images_bin([ImageRow("00.jpg", translation=(float("nan"), 0, 0))])
TURNED_CAMERA = cameras_bin([CameraRow(width=HEIGHT, height=WIDTH)])
DISTORTED_CAMERA = cameras_bin([CameraRow(model=2, parameters=(90.0, 48.0, 36.0, 0.1))])
EMPTY_MASK = png(np.zeros((HEIGHT, WIDTH), np.uint8))
SMALL_MASK = png(np.full((HEIGHT, HEIGHT), 255, np.uint8))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("sparse/points3D.bin", NO_POINTS, InputInvalid, "has no points"),
        ("sparse/points3D.bin", CUT_POINTS, InputInvalid, "points3D.bin is cut short"),
        ("sparse/images.bin", UNKNOWN_PHOTO, InputInvalid, "photo gone.jpg"),
        ("sparse/images.bin", NAN_POSE, InputInvalid, "00.jpg has no finite pose"),
        ("sparse/cameras.bin", TURNED_CAMERA, InputInvalid, "but its camera 72 x 96"),
        ("sparse/cameras.bin", DISTORTED_CAMERA, InputInvalid, "COLMAP model 2"),
        ("sparse/cameras.bin", None, InputNotFound, "cameras.bin is missing"),
        ("images/05.jpg", None, InputInvalid, "photo 05.jpg"),
        ("images/05.jpg", b"not a photo", InputInvalid, "photo 05.jpg can not be decoded"),
        ("masks/05.jpg.png", EMPTY_MASK, InputInvalid, "photo 05.jpg can not be trained on"),
        ("masks/05.jpg.png", SMALL_MASK, InputInvalid, "mask 05.jpg.png is 72 x 72 pixels"),
        ("masks/05.jpg.png", b"not a mask", InputInvalid, "mask 05.jpg.png can not be decoded"),
    ],
)
def test_a_bad_model_ends_with_a_named_reason(
    spoilt: Path, tmp_path: Path, name: str, content: bytes | None, error: type[StageError], message: str
) -> None:
    path = spoilt / "dense" / name
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    with pytest.raises(error, match=message):
        train(spoilt, tmp_path / "out", SMALL, silent, 2)
