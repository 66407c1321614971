"""What a stage is, and how one is run: fetch the inputs, do the work, store the output, manifest last.

``execute`` is the same for every stage and runs inside the operation's child process. The manifest alone
decides that a stage is done: an output that has one is never made again, and a finished output of the same
digest elsewhere is copied inside the store instead of being made again. Work that saves its state goes on
where an attempt before it got to, and work may show itself while it goes on; the checkpoint and the live
artifacts are deleted once there is a manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from splatworks.v1 import common_pb2
from splatworks_common import reasons
from splatworks_common.artifacts.cache import StageCache
from splatworks_common.artifacts.checkpoint import StoredCheckpoint, Work
from splatworks_common.artifacts.live import StoredLiveArtifacts
from splatworks_common.artifacts.manifest import MANIFEST_NAME, Manifest, input_digest
from splatworks_common.artifacts.retry import CredentialsRefused
from splatworks_common.artifacts.store import ArtifactStore, Commit
from splatworks_common.artifacts.transfer import OnProgress
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.checkpoints import Checkpoint
from splatworks_common.live import LiveArtifacts
from splatworks_common.progress import Report, Update

Steps = Mapping[str, float]
"""The steps of a stage, in order, with the share of the stage's time that each takes."""

Metrics = Mapping[str, float]
"""Figures of a finished stage by name, as they stand in its manifest."""

_FETCH, _STORE = "fetch", "store"
_TRANSFER_SHARE = 0.04
_LONGEST_TIMEOUT = 30 * 24 * 3600.0

RequestT = TypeVar("RequestT", bound=Message, contravariant=True)


@dataclass(frozen=True)
class Credentials:
    """Keys for an input; shown nowhere.

    Attributes:
        access_key: Who asks.
        secret_key: The secret that belongs to it.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Input:
    """One input of a stage.

    Attributes:
        uri: An s3:// prefix, or one object.
        is_object: True where ``uri`` is one object.
        only: What the names of the files that the stage needs begin with ("dense/images/").
        credentials: The keys to read it with, where they are not the service's own. The request's field for
            them is named after the input ("photos_credentials").
    """

    uri: S3Uri
    is_object: bool = False
    only: str = ""
    credentials: Credentials | None = None


@dataclass(frozen=True)
class Workspace:
    """Where a stage's work happens. All directories exist and are its own.

    Attributes:
        inputs: The local directory of each input by name; a single object is the one file in it.
        output: What the stage writes here becomes its artifacts.
        scratch: For anything else; thrown away afterwards.
        threads: How many threads the work may use.
        checkpoint: Keeps the state of the work for the next attempt; a short work need not use it.
        live: Shows the work while it goes on; never part of ``output``.
    """

    inputs: Mapping[str, Path]
    output: Path
    scratch: Path
    threads: int
    checkpoint: Checkpoint
    live: LiveArtifacts


class Stage(Protocol[RequestT]):
    """One stage of the pipeline: the seam between a gRPC service and its domain code."""

    name: str
    """"sfm", "train", "compress" or "publish"."""

    version: str
    """Changes whenever the same inputs and parameters would give another output."""

    steps: Steps
    """The steps of the work itself; fetching and storing are added around them."""

    request_type: Any
    """The request's message class."""

    def inputs(self, request: RequestT) -> Mapping[str, Input]:
        """The inputs by name. Raises ``InvalidField`` for a malformed URI."""

    def parameters(self, request: RequestT) -> Mapping[str, object]:
        """The effective parameters, defaults filled in, as JSON values. Raises ``InvalidField``."""

    def work(self, request: RequestT, workspace: Workspace, report: Report) -> Metrics:
        """Does the work, in this process. Raises ``StageError``."""

    def finish(
        self, request: RequestT, result: common_pb2.StageResult, metrics: Metrics, store: ArtifactStore
    ) -> Message:
        """The typed response for an output that is in the store, whether it was made now or reused.

        A stage that makes its output known elsewhere in the store does so here.
        """


def parse_uri(field: str, text: str) -> S3Uri:
    """The address in a request's field.

    Raises:
        InvalidField: It is missing or malformed.
    """
    if not text:
        raise reasons.InvalidField(field, "is required: an address like s3://bucket/prefix")
    try:
        return S3Uri.parse(text)
    except reasons.InputInvalid as error:
        raise reasons.InvalidField(field, str(error)) from error


def timeout_seconds(request: Any) -> float | None:
    """The request's timeout; None where it has none.

    Raises:
        InvalidField: It is not more than zero, or longer than a month.
    """
    if not request.HasField("timeout"):
        return None
    seconds: float = request.timeout.seconds + request.timeout.nanos / 1e9
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise reasons.InvalidField("timeout", f"is {seconds:g} s; it must be more than 0 and at most 30 days")
    return seconds


def check_request(stage: Stage[Any], request: Any) -> None:
    """Everything about a request that can be told without looking at its inputs.

    Raises:
        InvalidField: Naming the field.
    """
    parse_uri("output_uri", request.output_uri)
    timeout_seconds(request)
    if request.cache_policy not in common_pb2.CachePolicy.values():
        raise reasons.InvalidField("cache_policy", f"{request.cache_policy} is not a CachePolicy")
    stage.inputs(request)
    stage.parameters(request)


def all_steps(stage: Stage[Any]) -> Steps:
    """The stage's steps with fetching and storing around them."""
    scale = (1.0 - 2.0 * _TRANSFER_SHARE) / sum(stage.steps.values())
    return {
        _FETCH: _TRANSFER_SHARE,
        **{step: share * scale for step, share in stage.steps.items()},
        _STORE: _TRANSFER_SHARE,
    }


def execute(
    stage: Stage[Any],
    request: Any,
    store: ArtifactStore,
    *,
    scratch: Path,
    threads: int,
    report: Report,
    stopping: threading.Event,
) -> Message:
    """Runs ``request`` to a finished output in the store, or finds one that is already there.

    Args:
        stage: The stage.
        request: A request of its type, checked before.
        store: Where inputs and output are.
        scratch: A folder of this run's own.
        threads: How many threads the work may use.
        report: Told the progress.
        stopping: Set when the worker is told to stop: work that saves its state does so and ends.

    Raises:
        StageError: With the reason why there is no result.
    """
    output_uri = S3Uri.parse(request.output_uri)
    inputs = _Inputs(stage.inputs(request), store, scratch / "inputs", report)
    digest = input_digest(stage.name, stage.version, inputs.digests(), stage.parameters(request))

    checkpoint = StoredCheckpoint(
        store, output_uri, Work(stage.name, stage.version, digest), scratch / "checkpoint", stopping
    )
    with contextlib.closing(StoredLiveArtifacts(store, output_uri)) as live:
        manifest = _finished(store, output_uri, digest)
        cached = manifest is not None
        reuse = request.cache_policy != common_pb2.CACHE_POLICY_NEVER
        if manifest is None and reuse:
            manifest = _copy_from_cache(store, stage.name, digest, output_uri)
            cached = manifest is not None
        if manifest is None:
            workspace = Workspace(
                inputs.fetch(), scratch / "output", scratch / "work", threads, checkpoint, live
            )
            workspace.output.mkdir(parents=True)
            workspace.scratch.mkdir(parents=True)
            started = time.monotonic()
            metrics = stage.work(request, workspace, report)
            seconds = checkpoint.seconds_before + time.monotonic() - started
            manifest = _store_output(stage, store, workspace, output_uri, digest, metrics, seconds, report)
        checkpoint.discard()
        live.discard()
    report(Update(_STORE, 1, 1, "Reusing a finished result" if cached else "Stored", manifest.metrics))
    return stage.finish(request, _result(manifest, output_uri, cached), manifest.metrics, store)


class _Inputs:
    """A stage's inputs: their digests where manifests tell them, their files only when they are needed."""

    def __init__(
        self, inputs: Mapping[str, Input], store: ArtifactStore, directory: Path, report: Report
    ) -> None:
        self._inputs = inputs
        self._stores = {name: _opened(store, given.credentials) for name, given in inputs.items()}
        self._directory = directory
        self._report = report
        self._manifests = {name: self._read_manifest(name) for name in inputs}

    def digests(self) -> list[str]:
        """The digest of each input, in order: its manifest's, else that of its downloaded files."""
        return [
            manifest.digest() if manifest else _digest_of_files(self._fetch_one(name))
            for name, manifest in self._manifests.items()
        ]

    def fetch(self) -> Mapping[str, Path]:
        """All inputs as local files."""
        return {name: self._fetch_one(name) for name in self._inputs}

    def _read_manifest(self, name: str) -> Manifest | None:
        with _blaming_credentials(name, self._inputs[name]):
            return self._stores[name].read_manifest(self._inputs[name].uri)

    def _fetch_one(self, name: str) -> Path:
        given, target = self._inputs[name], self._directory / name
        if target.exists():
            return target
        partial = target.with_name(f"{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with _blaming_credentials(name, given):
            self._download(self._stores[name], given, self._manifests[name], partial)
        return partial.rename(target)

    def _download(self, store: ArtifactStore, given: Input, manifest: Manifest | None, target: Path) -> None:
        on_progress = _in_megabytes(self._report, _FETCH, "Fetching the inputs")
        if manifest is not None:
            store.download_artifact(
                given.uri,
                target,
                manifest=manifest,
                select=lambda path: path.startswith(given.only),
                on_progress=on_progress,
            )
        elif given.is_object:
            name = given.uri.key.rpartition("/")[2]
            store.download_file(given.uri, target / name, on_progress=on_progress)
        else:
            store.download_directory(given.uri, target, on_progress=on_progress)


def _opened(store: ArtifactStore, credentials: Credentials | None) -> ArtifactStore:
    """The same store, asked with an input's own keys where it has some."""
    if credentials is None:
        return store
    return ArtifactStore(
        replace(store.settings, access_key=credentials.access_key, secret_key=credentials.secret_key)
    )


@contextlib.contextmanager
def _blaming_credentials(name: str, given: Input) -> Iterator[None]:
    """Makes keys that the store does not accept the fault of the request that brought them."""
    try:
        yield
    except CredentialsRefused as error:
        if given.credentials is None:
            raise
        raise reasons.InvalidField(
            f"{name}_credentials", f"the store does not accept them for {given.uri}; check both keys"
        ) from error


def _digest_of_files(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _finished(store: ArtifactStore, output_uri: S3Uri, digest: str) -> Manifest | None:
    """The manifest of the output where it is finished, by this request or by the same one before."""
    manifest = store.read_manifest(output_uri)
    if manifest is not None and manifest.input_digest != digest:
        raise reasons.InputInvalid(
            f"{output_uri} already holds the result of another request; choose an empty output_uri"
        )
    return manifest


def _copy_from_cache(store: ArtifactStore, stage: str, digest: str, output_uri: S3Uri) -> Manifest | None:
    found = StageCache(store).lookup(stage, digest)
    if found is None:
        return None
    store.copy_prefix(found.uri, output_uri, found.manifest.files)
    return _commit(store, found.manifest, output_uri).manifest


def _store_output(
    stage: Stage[Any],
    store: ArtifactStore,
    workspace: Workspace,
    output_uri: S3Uri,
    digest: str,
    metrics: Metrics,
    seconds: float,
    report: Report,
) -> Manifest:
    if (already := _finished(store, output_uri, digest)) is not None:
        return already  # somebody was faster; their files must not be written over
    on_progress = _in_megabytes(report, _STORE, "Storing the result")
    files = store.upload_directory(workspace.output, output_uri, on_progress=on_progress)
    manifest = Manifest(
        stage=stage.name,
        stage_version=stage.version,
        input_digest=digest,
        files=files,
        created=datetime.now(UTC),
        seconds=seconds,
        metrics=metrics,
    )
    commit = _commit(store, manifest, output_uri)
    if commit.won:
        StageCache(store).publish(manifest, output_uri)
    return commit.manifest


def _commit(store: ArtifactStore, manifest: Manifest, output_uri: S3Uri) -> Commit:
    commit = store.commit(manifest, output_uri)
    if commit.manifest.input_digest != manifest.input_digest:
        raise reasons.InputInvalid(
            f"another request wrote to {output_uri} at the same time; give each request its own output_uri"
        )
    return commit


def _in_megabytes(report: Report, step: str, message: str) -> OnProgress:
    def on_progress(done: int, total: int) -> None:
        report(Update(step, done / 1e6, max(total, 1) / 1e6, message, unit="MB"))

    return on_progress


def _result(manifest: Manifest, output_uri: S3Uri, cached: bool) -> common_pb2.StageResult:
    result = common_pb2.StageResult(
        manifest_uri=str(output_uri / MANIFEST_NAME), input_digest=manifest.input_digest, cached=cached
    )
    result.work_time.FromMilliseconds(round(1000 * manifest.seconds))
    for file in manifest.files:
        result.artifacts.add(
            path=file.path,
            uri=str(output_uri / file.path),
            size_bytes=file.bytes,
            sha256=file.sha256,
            media_type=file.media_type,
        )
    return result
