"""The GPU engine: gsplat's CUDA kernels and torch behind the same loop as the native engine.

Importing this package imports torch; nothing else in the trainer does, so a trainer without a GPU neither
needs torch nor pays for it. ``engines/choice.py`` decides when it is imported.

Conventions, constants and statistics are those of the native engine (``splatworks_rasterizer.model``), but
for what gsplat's kernels fix otherwise:

- gsplat 1.5.3 cuts alpha at 0.999 instead of 0.99, and a pixel stops *before* the Gaussian that would take
  its transmittance to 1e-4, instead of after it. Where no alpha exceeds 0.99 it loses at most 1 % of that
  Gaussian's colour and of what lies behind, elsewhere up to 10 %.
- Its radii are whole pixels, rounded up, so a Gaussian may count as seen whose last pixel lies just outside.
- Its sums are in no fixed order: results are not the same to the last bit from run to run.
"""

from splatworks_trainer.engines.gsplat.drawing import GsplatOptions
from splatworks_trainer.engines.gsplat.engine import GsplatEngine

__all__ = ["GsplatEngine", "GsplatOptions"]
