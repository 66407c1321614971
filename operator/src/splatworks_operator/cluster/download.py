"""``splatworks download``: a job's results on this machine, every byte verified."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputNotFound
from splatworks_operator.cluster.errors import ClusterError
from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.uploads import following, transfer_bar
from splatworks_operator.requests import CALLS
from splatworks_operator.results import check_replaceable, fetch
from splatworks_operator.status import StageName, StageState


def download(
    store: ArtifactStore, job: SplatJob, stages: list[StageName], out: Path, console: Console
) -> list[Path]:
    """Fetches the results of stages, each into a folder of its own below ``out``.

    Args:
        store: Where the results are.
        job: Whose results.
        stages: Which; none for all that have finished.
        out: Where to. A folder there that an earlier download made is replaced.
        console: Hears of bytes.

    Returns:
        The folders.

    Raises:
        ClusterError: A stage has not finished, or its files are gone.
        StageError: The store does not answer, or a file is not what the stage made.
    """
    status = job.status
    finished = [stage.name for stage in status.stages if stage.state is StageState.SUCCEEDED]
    wanted = stages or finished
    if not wanted:
        raise ClusterError(f"{job.name} has no results yet: 'splatworks watch {job.name}' waits for them.")
    for name in wanted:
        if name not in finished:
            raise ClusterError(
                f"{name} of {job.name} has no results: the stage is {status.stage(name).state}. "
                f"'splatworks get {job.name}' says more."
            )
    folders = {name: out / CALLS[name].folder for name in wanted}
    for folder in folders.values():
        check_replaceable(folder)
    for name, folder in folders.items():
        uri = S3Uri.parse(status.result.uri) / CALLS[name].folder
        try:
            with transfer_bar(console, folder.name) as bar:
                fetch(store, uri, folder, on_progress=following(bar))
        except InputNotFound as error:
            raise ClusterError(
                f"The files of {name} are not at {uri} any more ({error}): the job's artifactPolicy may have "
                "removed them."
            ) from error
    return list(folders.values())
