"""What a driver saw, in the pipeline's terms: an operation's state, or a finished manifest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.operations.client import OperationState
from splatworks_operator.pipeline import Failure, Observation, Result
from splatworks_operator.status import Artifact, Progress

_MOST_OUTPUTS = 16
"""A status names a stage's main files, those not in a folder, and no more of them than this."""

_MOST_METRICS = 32
"""A status holds no more figures of a stage than this; no stage has so many."""


def of_operation(state: OperationState[Any]) -> Observation:
    """What an operation's state says about the attempt."""
    if state.error is not None:
        return Observation(failure=Failure(state.error.reason, str(state.error)))
    progress = state.progress
    if state.response is not None:
        result = state.response.result
        outputs = [
            Artifact(file.path, file.uri, file.size_bytes, file.sha256, file.media_type)
            for file in result.artifacts
        ]
        return Observation(
            result=Result(
                cached=result.cached,
                metrics=_figures(progress.metrics),
                input_digest=result.input_digest,
                outputs=_main(outputs),
            )
        )
    return Observation(
        progress=Progress(
            percent=progress.percent,
            done=progress.done,
            total=progress.total,
            eta_seconds=progress.eta.ToTimedelta().total_seconds() if progress.HasField("eta") else None,
            message=progress.message,
            unit=progress.unit,
            metrics=_figures(progress.metrics),
        )
    )


def of_manifest(manifest: Manifest, output_uri: str) -> Observation:
    """What a finished manifest says, where the operation that wrote it is gone."""
    outputs = [
        Artifact(file.path, f"{output_uri}/{file.path}", file.bytes, file.sha256, file.media_type)
        for file in manifest.files
    ]
    return Observation(
        result=Result(
            cached=False,
            metrics=_figures(manifest.metrics),
            input_digest=manifest.input_digest,
            outputs=_main(outputs),
        )
    )


def _main(outputs: list[Artifact]) -> tuple[Artifact, ...]:
    return tuple(output for output in outputs if "/" not in output.name)[:_MOST_OUTPUTS]


def _figures(metrics: Mapping[str, float]) -> dict[str, float]:
    return dict(islice(sorted(metrics.items()), _MOST_METRICS))
