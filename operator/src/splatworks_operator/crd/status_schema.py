"""The structural schema of a SplatJob's ``status``: what ``resource.to_resource`` writes, field by field.

Written out here, because what the API shows is not how ``status`` keeps it: times are text, figures are
text, metrics are lists. A test writes made-up statuses through a real API server and finds nothing pruned or
refused.

Invariant: nothing the operator may truthfully write is refused; limits only keep a status from growing
without bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from splatworks_common.reasons import Reason
from splatworks_operator.crd.schema import Schema
from splatworks_operator.status import ConditionType, Phase, StageName, StageState

MAX_MESSAGE = 1024
"""The longest sentence for people."""
MAX_OUTPUTS = 16
"""The most files named of a stage."""
MAX_METRICS = 32
"""The most figures of a stage."""


def status() -> Schema:
    """The schema of the whole ``status``."""
    return _object(
        "What the platform knows about the job. Written by the operator only.",
        observedGeneration=_count("The metadata.generation of the spec that this status answers."),
        phase=_enum("Where the job stands, in one word; the conditions say more.", Phase),
        currentStage=_enum("The stage that runs or comes next; absent once all are done.", StageName),
        progressPercent=_percent("How much of the whole job is done, 0 to 100."),
        message=_text("What happens right now, in a sentence for people.", MAX_MESSAGE),
        queuePosition=_count("Where the job stands among those that wait for the same worker; 1 is next."),
        queuedTime=_time("Since when the job has waited to start."),
        startTime=_time("When the job first was given a worker; anew after it was suspended."),
        completionTime=_time("When the job succeeded or failed for good."),
        conditions=_map_list("Aspects of the job that programs may wait for.", "type", 8, _condition()),
        stages=_map_list("The four stages, in the order they run.", "name", 8, _stage()),
        result=_result(),
    )


def _condition() -> Schema:
    return _object(
        "One aspect of the job.",
        required=("type", "status", "lastTransitionTime", "reason", "message"),
        type=_enum(
            "What it is about. Accepted: the platform allows the spec. Admitted: the job was given a worker. "
            "Suspended: it is stopped by spec.suspend. Complete: it has succeeded. Failed: it never will.",
            ConditionType,
        ),
        status={
            "description": "Whether it holds.",
            "type": "string",
            "enum": ["True", "False", "Unknown"],
        },
        observedGeneration=_count("The metadata.generation of the spec that it was judged by."),
        lastTransitionTime=_time("When status last changed."),
        reason={
            **_text("Why, in one word for programs.", MAX_MESSAGE),
            "minLength": 1,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        message=_text("Why, in a sentence for people.", 32_768),
    )


def _stage() -> Schema:
    return _object(
        "One stage of the job.",
        required=("name", "state"),
        name=_enum("Which stage.", StageName),
        state=_enum("Where it stands.", StageState),
        attempt=_count("The number of the current or last attempt; 0 before the first."),
        countedAttempts=_count("Failed attempts that use up failurePolicy.maxAttemptsPerStage."),
        uncountedAttempts=_count("Failed attempts that the platform lost."),
        retryTime=_time("The next attempt does not begin before this time."),
        operation=_text("The long-running operation of the current attempt, as its worker names it.", 512),
        worker=_object(
            "The one process that runs the current attempt, or ran the last.",
            required=("name",),
            name=_text("The pod's name.", 253),
            address=_text("host:port of its gRPC server.", 320),
            instance=_text("The process's own random id, another one after each start.", 128),
        ),
        startTime=_time("When the current attempt began."),
        completionTime=_time("When the stage succeeded or failed for good."),
        progress=_object(
            "How far the current attempt is.",
            percent=_percent("How much of the stage is done, 0 to 100. Never goes back within an attempt."),
            done=_number("How much of the present step is done, in its unit."),
            total=_number("The size of the present step, in its unit."),
            unit=_text("What done and total count (photos, pairs, steps).", 64),
            etaSeconds=_count("Estimated time until the stage ends, in seconds; absent while unknown."),
            message=_text("The present step, in a sentence for people.", MAX_MESSAGE),
            metrics=_metrics("Figures worth watching while it runs."),
        ),
        inputDigest=_text("SHA-256 of all that the result depends on: equal digests, equal results.", 128),
        cached={
            "description": "True where a finished result was reused instead of doing the work.",
            "type": "boolean",
        },
        outputs=_map_list(
            "The stage's main files.",
            "name",
            MAX_OUTPUTS,
            _object(
                "One file.",
                required=("name", "uri"),
                name=_text("Its path in the stage's output.", 1024),
                uri=_text("Where it lies, an s3:// address.", 2048),
                sizeBytes=_count("Its size in bytes."),
                sha256=_text("Lower-case hexadecimal SHA-256 of its content.", 64),
                mediaType=_text("Its IANA media type.", 255),
            ),
        ),
        reason=_enum("Why the last attempt ended without a result.", Reason),
        message=_text("What went wrong and what to do, in a sentence for people.", MAX_MESSAGE),
        metrics=_metrics("The figures of the finished stage."),
    )


def _result() -> Schema:
    return _object(
        "What the job has given so far.",
        uri=_text("The s3:// prefix beneath which everything lies.", 2048),
        viewerURL=_text("Where the scene can be looked at in a browser.", 2048),
        numGaussians=_count("Gaussians in the scene."),
        registeredImages=_count("Photos that found their place in the model."),
        totalImages=_count("Photos given, usable or not."),
        psnr=_text("Mean PSNR in dB over the held-out photos.", 32),
        ssim=_text("Mean SSIM over the held-out photos.", 32),
        sizeBytes=_count("Size of the compressed scene in bytes."),
        compressionRatio=_text("Size of the trained scene divided by that of the compressed one.", 32),
    )


def _metrics(description: str) -> Schema:
    return _map_list(
        description,
        "name",
        MAX_METRICS,
        _object(
            "One figure.",
            required=("name", "value"),
            name=_text("What it measures.", 64),
            value=_text("The number, as text, so that none of it is lost.", 64),
        ),
    )


def _object(description: str, *, required: Iterable[str] = (), **properties: Schema) -> Schema:
    needed = list(required)
    return {
        "description": description,
        "type": "object",
        **({"required": needed} if needed else {}),
        "properties": properties,
    }


def _map_list(description: str, key: str, most: int, items: Schema) -> Schema:
    return {
        "description": description,
        "type": "array",
        "maxItems": most,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
        "items": items,
    }


def _text(description: str, longest: int) -> Schema:
    return {"description": description, "type": "string", "maxLength": longest}


def _enum(description: str, values: type[Enum]) -> Schema:
    return {"description": description, "type": "string", "enum": [member.value for member in values]}


def _time(description: str) -> Schema:
    return {"description": description, "type": "string", "format": "date-time"}


def _count(description: str) -> Schema:
    return {"description": description, "type": "integer", "format": "int64", "minimum": 0}


def _percent(description: str) -> Schema:
    return {"description": description, "type": "integer", "format": "int32", "minimum": 0, "maximum": 100}


def _number(description: str) -> Schema:
    return {"description": description, "type": "number"}
