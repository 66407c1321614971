"""``turntable.mp4``: a few seconds' flight through the capture that a page or a chat can play in a loop.

H.264 with 4:2:0 colours, which every browser and phone plays, tagged as BT.709, and with its index at the
front, so that it starts to play before it has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_trainer.camera_path import camera_path

SECONDS = 6
FRAMES_PER_SECOND = 30
LONG_SIDE = 540
"""Pixels. With 180 frames it is the cost of a hundred training steps at the same size."""

_QUALITY = {"crf": "23", "preset": "veryfast", "profile": "high"}
"""x264's own default of quality, at a fifth of its default's time."""

Render = Callable[[Camera], NDArray[np.float32]]
"""The picture from a camera, ``[H, W, 3]``, not clipped."""


def write_turntable(
    render: Render,
    cameras: Sequence[Camera],
    path: Path,
    *,
    threads: int,
    seconds: float = SECONDS,
    long_side: int = LONG_SIDE,
) -> None:
    """Renders a flight along ``camera_path`` and writes it as MP4.

    Args:
        render: An engine's ``render``.
        cameras: The capture's cameras, at least one.
        path: The file, overwritten.
        threads: CPU threads to encode with.
        seconds: How long it lasts.
        long_side: Longest side in pixels; the photos' size is never exceeded.
    """
    frames = camera_path(cameras, round(seconds * FRAMES_PER_SECOND), long_side=long_side)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=dict(_QUALITY))
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        codec = stream.codec_context
        codec.thread_count = threads
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for index, camera in enumerate(frames):
            container.mux(stream.encode(_frame(render(camera), index)))
        container.mux(stream.encode(None))


def _frame(picture: NDArray[np.float32], index: int) -> VideoFrame:
    pixels = np.rint(np.clip(np.nan_to_num(picture), 0, 1) * 255).astype(np.uint8)
    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    frame.pts = index
    return frame
