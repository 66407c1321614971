"""Whether the gsplat engine works on this machine, and if not, what is missing.

Nothing is imported before it is asked for; torch takes seconds.
"""

from __future__ import annotations

import shutil

import numpy as np

from splatworks_common.cameras import Camera
from splatworks_common.reasons import OutOfMemory
from splatworks_common.splats import Splats

INSTALL = "pip install 'splatworks-trainer[cuda]'"
"""What brings all that the engine needs, but for the GPU and its driver."""


def gpu_name() -> str:
    """What the GPU in use calls itself; ``gpu_problem`` must have found none."""
    import torch

    return str(torch.cuda.get_device_name())


def free_gpu_bytes() -> int:
    """How much memory the GPU in use has free; ``gpu_problem`` must have found none."""
    import torch

    return int(torch.cuda.mem_get_info()[0])


def gpu_problem() -> str | None:
    """Why the gsplat engine can not work here, with the remedy; None where it does.

    The last thing it does is a small picture, so that a GPU for which gsplat was not compiled is found here
    and not in the middle of a run.
    """
    try:
        import torch
    except ImportError:
        return f"torch is not installed; {INSTALL} brings it"
    if not torch.backends.cuda.is_built():
        return f"the torch that is installed ({torch.__version__}) is one without CUDA; install one with it"
    if not torch.cuda.is_available():
        return "torch finds no CUDA GPU; look at nvidia-smi, and whether the container was given the GPU"
    try:
        import gsplat
    except ImportError as error:
        return f"gsplat can not be imported ({error}); {INSTALL} brings it"
    try:
        from gsplat import csrc  # noqa: F401
    except ImportError:
        # gsplat compiles its kernels when they are first used, if it can.
        if not shutil.which("nvcc"):
            return (
                f"gsplat {gsplat.__version__} was installed without its CUDA kernels and there is no nvcc to "
                "compile them; use the image of the cuda variant, or install CUDA's development tools"
            )
    return _drawing_problem()


def _drawing_problem() -> str | None:
    from splatworks_trainer.engines.gsplat import GsplatEngine

    one = Splats(
        means=np.array([[0, 0, 1]], np.float32),
        log_scales=np.full((1, 3), -2, np.float32),
        quats=np.array([[1, 0, 0, 0]], np.float32),
        opacities=np.zeros(1, np.float32),
        sh0=np.ones((1, 3), np.float32),
        shN=np.zeros((1, 0, 3), np.float32),
    )
    camera = Camera("", np.eye(4), 16, 16, 8, 8, 16, 16)
    try:
        picture = GsplatEngine(one, capacity=1, threads=1).render(camera)
    # Of CUDA: no kernel image for this GPU, a driver that is too old, no memory left on it, ...
    except (RuntimeError, ImportError, OutOfMemory) as error:
        return f"gsplat does not run on {gpu_name()}: {error}"
    return None if picture.any() else f"gsplat draws nothing on {gpu_name()}"
