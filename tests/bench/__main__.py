"""``make bench``: what the stages cost on real captures, and what a training step costs beside the goals."""

from __future__ import annotations

from rich.console import Console

from tests.bench import pipeline, training_step

console = Console(width=140)
console.print(pipeline.table(pipeline.run()))
console.print()
training_step.main([])
