"""A job's status as the ``status`` of its SplatJob resource, and back.

Invariant: what ``from_resource`` reads is what ``to_resource`` wrote, except that progress is kept in whole
percent and figures with seven digits; nothing that a person may read here is ever a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from splatworks_common.reasons import Reason
from splatworks_operator.status import (
    Artifact,
    Condition,
    ConditionType,
    JobResult,
    JobStatus,
    Phase,
    Progress,
    StageName,
    StageState,
    StageStatus,
    WorkerRef,
)


def to_resource(status: JobStatus) -> dict[str, Any]:
    """The resource's ``status``; what is not known is left out."""
    current = status.current
    return _known(
        observedGeneration=status.generation,
        phase=status.phase.value,
        currentStage=current.name.value if current is not None else None,
        progressPercent=status.percent,
        message=status.message or None,
        queuePosition=status.queue_position,
        queuedTime=_time(status.queued),
        startTime=_time(status.started),
        completionTime=_time(status.completed),
        conditions=[_from_condition(condition) for condition in status.conditions],
        stages=[_from_stage(stage) for stage in status.stages],
        result=_from_result(status.result),
    )


def from_resource(resource: Mapping[str, Any]) -> JobStatus:
    """The status of a resource; a resource without one gives a new job's.

    Raises:
        ValueError: The status is not one that ``to_resource`` wrote.
    """
    if not resource.get("phase"):
        return JobStatus()
    stages = {stage["name"]: _to_stage(stage) for stage in resource.get("stages", ())}
    return JobStatus(
        phase=Phase(resource["phase"]),
        stages=tuple(stages.get(name.value, StageStatus(name)) for name in StageName),
        message=resource.get("message", ""),
        queue_position=resource.get("queuePosition"),
        queued=_seconds(resource.get("queuedTime")),
        started=_seconds(resource.get("startTime")),
        completed=_seconds(resource.get("completionTime")),
        conditions=tuple(_to_condition(condition) for condition in resource.get("conditions", ())),
        result=_to_result(resource.get("result", {})),
        generation=resource.get("observedGeneration", 0),
    )


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@lru_cache(maxsize=4096)  # the same few moments are written again and again
def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(time: str | None) -> int | None:
    return None if time is None else int(datetime.fromisoformat(time).timestamp())


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.7g}"


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _from_stage(stage: StageStatus) -> dict[str, Any]:
    worker = stage.worker
    return _known(
        name=stage.name.value,
        state=stage.state.value,
        attempt=stage.attempt,
        countedAttempts=stage.counted_attempts,
        uncountedAttempts=stage.uncounted_attempts,
        retryTime=_time(stage.not_before or None),
        operation=stage.operation or None,
        worker=None
        if worker is None
        else _known(name=worker.name, address=worker.address or None, instance=worker.instance or None),
        startTime=_time(stage.started),
        completionTime=_time(stage.ended),
        progress=_from_progress(stage.progress) if stage.attempt else None,
        inputDigest=stage.input_digest or None,
        cached=stage.cached or None,
        outputs=[
            {
                "name": output.name,
                "uri": output.uri,
                "sizeBytes": output.size_bytes,
                "sha256": output.sha256,
                "mediaType": output.media_type,
            }
            for output in stage.outputs
        ]
        or None,
        reason=stage.reason.value if stage.reason is not None else None,
        message=stage.message or None,
        metrics=_from_metrics(stage.metrics),
    )


def _to_stage(stage: Mapping[str, Any]) -> StageStatus:
    worker = stage.get("worker")
    return StageStatus(
        name=StageName(stage["name"]),
        state=StageState(stage["state"]),
        attempt=stage.get("attempt", 0),
        counted_attempts=stage.get("countedAttempts", 0),
        uncounted_attempts=stage.get("uncountedAttempts", 0),
        not_before=_seconds(stage.get("retryTime")) or 0,
        operation=stage.get("operation", ""),
        worker=None
        if worker is None
        else WorkerRef(worker["name"], worker.get("address", ""), worker.get("instance", "")),
        started=_seconds(stage.get("startTime")),
        ended=_seconds(stage.get("completionTime")),
        progress=_to_progress(stage.get("progress", {})),
        reason=Reason(stage["reason"]) if "reason" in stage else None,
        message=stage.get("message", ""),
        cached=stage.get("cached", False),
        input_digest=stage.get("inputDigest", ""),
        outputs=tuple(
            Artifact(
                output["name"], output["uri"], output["sizeBytes"], output["sha256"], output["mediaType"]
            )
            for output in stage.get("outputs", ())
        ),
        metrics=_to_metrics(stage.get("metrics", ())),
    )


def _from_progress(progress: Progress) -> dict[str, Any]:
    return _known(
        percent=int(progress.percent),
        done=progress.done,
        total=progress.total,
        unit=progress.unit or None,
        etaSeconds=None if progress.eta_seconds is None else int(progress.eta_seconds),
        message=progress.message or None,
        metrics=_from_metrics(progress.metrics),
    )


def _to_progress(progress: Mapping[str, Any]) -> Progress:
    return Progress(
        percent=progress.get("percent", 0),
        done=progress.get("done", 0),
        total=progress.get("total", 0),
        eta_seconds=progress.get("etaSeconds"),
        message=progress.get("message", ""),
        unit=progress.get("unit", ""),
        metrics=_to_metrics(progress.get("metrics", ())),
    )


def _from_metrics(metrics: Mapping[str, float]) -> list[dict[str, str]] | None:
    return [{"name": name, "value": f"{value:.7g}"} for name, value in sorted(metrics.items())] or None


def _to_metrics(metrics: Any) -> dict[str, float]:
    return {metric["name"]: float(metric["value"]) for metric in metrics}


def _from_condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type.value,
        "status": "True" if condition.status else "False",
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": _time(condition.since),
        "observedGeneration": condition.generation,
    }


def _to_condition(condition: Mapping[str, Any]) -> Condition:
    return Condition(
        type=ConditionType(condition["type"]),
        status=condition["status"] == "True",
        reason=condition["reason"],
        message=condition["message"],
        since=_seconds(condition["lastTransitionTime"]) or 0,
        generation=condition.get("observedGeneration", 0),
    )


def _from_result(result: JobResult) -> dict[str, Any]:
    return _known(
        uri=result.uri or None,
        viewerURL=result.viewer_url or None,
        numGaussians=result.num_gaussians,
        registeredImages=result.registered_images,
        totalImages=result.total_images,
        psnr=_figure(result.psnr),
        ssim=_figure(result.ssim),
        sizeBytes=result.size_bytes,
        compressionRatio=_figure(result.compression_ratio),
    )


def _to_result(result: Mapping[str, Any]) -> JobResult:
    return JobResult(
        uri=result.get("uri", ""),
        viewer_url=result.get("viewerURL", ""),
        num_gaussians=result.get("numGaussians"),
        registered_images=result.get("registeredImages"),
        total_images=result.get("totalImages"),
        psnr=_number(result.get("psnr")),
        ssim=_number(result.get("ssim")),
        size_bytes=result.get("sizeBytes"),
        compression_ratio=_number(result.get("compressionRatio")),
    )
