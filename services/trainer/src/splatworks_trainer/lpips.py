"""LPIPS (Zhang et al. 2018): how different two pictures look to a network that learned to see. 0 is alike.

It needs torch, the package ``lpips`` with its own small weights, and torchvision's weights of the network
beneath. Nothing is ever downloaded: where one of them is missing there is no figure, and a reason why. Where
they are, it is the VGG variant, which 3DGS and the Mip-NeRF 360 benchmark report.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = "vgg16-397923af.pth"
"""What torchvision calls its weights of VGG-16, in the folder ``checkpoints`` of torch's hub."""

_SMALLEST_SIDE = 32
"""VGG halves a picture four times; less than this leaves nothing to compare."""

Picture = NDArray[np.float32]
"""``[H, W, 3]``, colours in 0..1."""

Distance = Callable[[Picture, Picture], float]
"""The LPIPS of two pictures of one size."""


@dataclass(frozen=True)
class Lpips:
    """How far renders look from their photos, or why that is not known; one of the two is None.

    Attributes:
        mean: Mean over all pairs.
        reason: Why there is none.
    """

    mean: float | None
    reason: str | None


def lpips_of(
    pairs: Iterable[tuple[Picture, Picture]],
    *,
    threads: int,
    load: Callable[[Path, int], Distance] | None = None,
) -> Lpips:
    """Measures pairs of a photo and its render.

    Args:
        pairs: Looked at only where LPIPS can be measured.
        threads: CPU threads to use.
        load: Makes the network from the file of its weights; the real one unless given.
    """
    missing = [name for name in ("torch", "torchvision", "lpips") if load is None and not _installed(name)]
    if missing:
        return Lpips(None, f"LPIPS was not measured: {' and '.join(missing)} is not installed.")
    weights = hub_checkpoints() / WEIGHTS
    if not weights.is_file():
        return Lpips(None, f"LPIPS was not measured: there are no weights at {weights}.")
    try:
        distance = (load or _vgg)(weights, threads)
        values = [distance(*pair) for pair in pairs if min(pair[0].shape[:2]) >= _SMALLEST_SIDE]
    except (OSError, RuntimeError, ImportError, KeyError) as error:
        return Lpips(None, f"LPIPS was not measured: {type(error).__name__}: {error}")
    if not values:
        return Lpips(None, f"LPIPS was not measured: no photo has {_SMALLEST_SIDE} pixels on each side.")
    return Lpips(fmean(values), None)


def hub_checkpoints() -> Path:
    """Where torch keeps weights, by its own rules: ``$TORCH_HOME``, else ``torch`` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or Path(cache) / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def _installed(name: str) -> bool:
    return util.find_spec(name) is not None


def _vgg(weights: Path, threads: int) -> Distance:
    """The real network: made without weights, for lpips would download them, and filled from the file."""
    torch, lpips = import_module("torch"), import_module("lpips")
    torch.set_num_threads(threads)
    network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False).eval()
    features = torch.load(weights, map_location="cpu", weights_only=True)
    # lpips cuts torchvision's features into slices and leaves their numbers: slice2.5.weight is features.5.
    names = {name: f"features.{name.partition('.')[2]}" for name in network.net.state_dict()}
    network.net.load_state_dict({name: features[source] for name, source in names.items()})

    def tensor(picture: Picture) -> Any:
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] * 2 - 1

    def distance(photo: Picture, render: Picture) -> float:
        with torch.inference_mode():
            return float(network(tensor(photo), tensor(render)))

    return distance
