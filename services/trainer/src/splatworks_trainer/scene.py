"""What a run trains on, and how: the model, its photos, and the options made to their measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from splatworks_common.progress import Report, Update
from splatworks_common.splats import Splats
from splatworks_trainer.choice import choose_strategy, settled
from splatworks_trainer.colmap import ColmapModel, read_model
from splatworks_trainer.config import EngineName, TrainOptions
from splatworks_trainer.coverage import known_points
from splatworks_trainer.dense import dense_points
from splatworks_trainer.gaps import points_in_gaps
from splatworks_trainer.holdout import choose_held_out
from splatworks_trainer.initial import scene_scale, splats_from_points
from splatworks_trainer.memory import available_bytes, photo_cache_bytes, require_memory
from splatworks_trainer.schedule import Schedule, planned_steps
from splatworks_trainer.strategy import Strategy
from splatworks_trainer.views import Photos


@dataclass(frozen=True)
class Scene:
    """A capture that is ready to be trained on.

    Attributes:
        model: The cameras and sparse points.
        photos: The photos, each decoded once, those held out marked.
        known: Points that at least two training photos share, ``[K, 3]`` world units.
        schedule: The course of the run, with the options it was made from.
        strategy: Where Gaussians are added and removed.
    """

    model: ColmapModel
    photos: Photos
    known: NDArray[np.float64]
    schedule: Schedule
    strategy: Strategy

    @property
    def options(self) -> TrainOptions:
        """The options with nothing left open."""
        return self.schedule.options

    def first_splats(self, rng: np.random.Generator, report: Report, threads: int) -> Splats:
        """The Gaussians that training starts from."""
        points, colors = self.model.points, self.model.colors
        assert self.options.dense_start is not None, "the options are settled"
        if limit := round(self.options.dense_start * self.options.max_gaussians):
            dense, dense_colors = dense_points(
                self.model, self.photos, limit=limit, threads=threads, report=report
            )
            points, colors = np.concatenate([points, dense]), np.concatenate([colors, dense_colors])
        if self.options.fill_gaps:
            points, colors = points_in_gaps(points, colors, self.photos)
        return splats_from_points(
            points,
            colors,
            self.photos.cameras,
            look=self.strategy.first_look,
            sh_degree=self.options.sh_degree,
            max_gaussians=self.options.max_gaussians,
            rng=rng,
        )


def open_scene(dense: Path, options: TrainOptions, engine: EngineName, report: Report, threads: int) -> Scene:
    """Reads a model and all its photos, so that what can not be trained on ends the run now.

    Raises:
        InputNotFound: A file of the model is missing.
        InputInvalid: The model, a photo or a mask can not be trained on.
        OutOfMemory: The photos, or on the CPU the budget of Gaussians, do not fit.
    """
    model = read_model(dense / "sparse")
    cameras = choose_held_out(model, options.holdout, options.hold_out_every)
    available = available_bytes()
    cache_bytes = photo_cache_bytes(available)
    require_memory(
        cameras, options.max_gaussians, options.max_image_side, cache_bytes, threads, available, engine
    )
    photos = Photos(
        dense / "images",
        cameras,
        max_side=options.max_image_side,
        masks=dense / "masks",
        cache_bytes=cache_bytes,
    )
    for done in photos.load(threads):
        report(Update("load", done, len(photos), "Loading photos", unit="photos"))
    options = settled(options, engine, len(photos))
    schedule = Schedule(planned_steps(options, len(photos)), scene_scale(cameras, model.points), options)
    return Scene(model, photos, known_points(model, photos.training), schedule, choose_strategy(schedule))
