"""Which engine a run uses: what the caller wants, and what this machine has."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from splatworks_common.reasons import InvalidField
from splatworks_trainer.config import EngineName
from splatworks_trainer.engine import EngineFactory
from splatworks_trainer.engines.gpu import free_gpu_bytes, gpu_name, gpu_problem
from splatworks_trainer.engines.native import NativeEngine

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """An engine.

    Attributes:
        name: Which one; not AUTO.
        device: What it runs on: ``cpu``, or what the GPU calls itself.
        make: Makes it.
        gpu_bytes: How much memory its GPU has free; none on the CPU.
    """

    name: EngineName
    device: str
    make: EngineFactory
    gpu_bytes: int | None = None


_NATIVE = Chosen(EngineName.NATIVE, "cpu", NativeEngine)


def choose_engine(engine: EngineName, *, require_gpu: bool, absgrad: bool = False) -> Chosen:
    """The engine that a run uses.

    Args:
        engine: What the caller wants; AUTO is gsplat where it works, and the native engine elsewhere.
        require_gpu: Whether no run is better than one on the CPU; never together with NATIVE.
        absgrad: Whether gsplat adds up absolute gradients (AbsGS); the native engine never does.

    Raises:
        InvalidField: This machine has not what was asked for; the message says what is missing.
    """
    if engine is EngineName.NATIVE:
        return _NATIVE
    problem = gpu_problem()
    if problem is None:
        from splatworks_trainer.engines.gsplat import GsplatEngine, GsplatOptions

        make = partial(GsplatEngine, options=GsplatOptions(absgrad=absgrad))
        return Chosen(EngineName.GSPLAT, gpu_name(), make, free_gpu_bytes())
    if engine is EngineName.GSPLAT:
        raise InvalidField("engine", f"gsplat does not work on this worker: {problem}")
    if require_gpu:
        raise InvalidField("require_gpu", f"no GPU can be used on this worker: {problem}")
    logger.info("training on the CPU: %s", problem)
    return _NATIVE
