"""The operator's Prometheus metrics.

Whatever can be counted when Prometheus asks is counted then, from the job and slot tables. Labels have few
values: stages, phases, reasons. Only the series that describe a job in progress are named by it; their number
is bounded by the slots, and they go when the job's stage ends.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from splatworks_common.metrics import export_certificate_expiry
from splatworks_common.reasons import Reason
from splatworks_operator.job import Job
from splatworks_operator.kube.driver import JobDriver
from splatworks_operator.kube.faults import Fault
from splatworks_operator.kube.slots import SlotTable
from splatworks_operator.status import JobStatus, Phase, StageName, StageState, StageStatus

_STAGE_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
_RECONCILE_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

FIGURES = ("psnr", "gaussians", "registered_images")
"""The figures of a job in progress that are exported."""


class HasJobs(Protocol):
    """Where all jobs are found."""

    def snapshot(self) -> list[JobDriver]:
        """All drivers at this moment."""


class OperatorMetrics:
    """What is counted as it happens; ``export_tables`` adds what is counted when asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._stage_seconds = Histogram(
            "splatworks_job_stage_duration_seconds",
            "How long stages took from their last start to their success.",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._job_seconds = Histogram(
            "splatworks_job_duration_seconds",
            "How long jobs took from their first start to their success.",
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._attempts = Counter(
            "splatworks_stage_attempts", "Attempts of stages that were started.", ["stage"], registry=registry
        )
        self._failures = Counter(
            "splatworks_stage_failures",
            "Attempts of stages that ended without a result.",
            ["stage", "reason"],
            registry=registry,
        )
        self._finished = Counter(
            "splatworks_jobs_finished",
            "Jobs that ended; the reason is empty where they succeeded.",
            ["phase", "reason"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "splatworks_reconcile_duration_seconds",
            "How long it took to look at a job, decide, act and write.",
            buckets=_RECONCILE_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "splatworks_reconcile_errors",
            "Looks at a job that have to be repeated, by what failed.",
            ["kind"],
            registry=registry,
        )
        self.leader = Gauge(
            "splatworks_operator_leader", "1 where this replica holds the Lease.", registry=registry
        )
        self.ready = Gauge("splatworks_operator_ready", "1 where /readyz says so.", registry=registry)
        self.last_event = Gauge(
            "splatworks_operator_last_event_timestamp_seconds",
            "When the API server last told of a change of a job.",
            registry=registry,
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Makes all series before anything happens: ``increase()`` does not see a series' first value."""
        for stage in StageName:
            self._attempts.labels(stage.value)
            self._stage_seconds.labels(stage.value)
            for reason in Reason:
                self._failures.labels(stage.value, reason.value)
        self._finished.labels(Phase.SUCCEEDED.value, "")
        for reason in Reason:
            self._finished.labels(Phase.FAILED.value, reason.value)
        for fault in Fault:
            self._errors.labels(fault.value)

    def export_tables(self, jobs: HasJobs, slots: SlotTable) -> None:
        """From now on exports what the tables hold at the moment of each scrape."""
        self._registry.register(_Tables(jobs, slots))

    def export_certificate_expiry(self, expiry: Callable[[], float]) -> None:
        """From now on exports when the operator's own certificate ends, as the workers do theirs."""
        export_certificate_expiry(self._registry, expiry)

    def error(self, fault: Fault) -> None:
        """A look at a job has to be repeated."""
        self._errors.labels(fault.value).inc()

    def written(self, job: Job, old: JobStatus, new: JobStatus) -> None:
        """Counts what happened between two statuses."""
        for before, after in zip(old.stages, new.stages, strict=True):
            self._count_stage(before, after)
        if new.phase.terminal and not old.phase.terminal:
            failure = new.failure
            reason = failure.reason.value if failure is not None and failure.reason is not None else ""
            self._finished.labels(new.phase.value, reason).inc()
            if new.phase is Phase.SUCCEEDED and new.started is not None and new.completed is not None:
                self._job_seconds.observe(new.completed - new.started)

    def _count_stage(self, before: StageStatus, after: StageStatus) -> None:
        if after.attempt > before.attempt:
            self._attempts.labels(after.name.value).inc(after.attempt - before.attempt)
        failed = (after.counted_attempts + after.uncounted_attempts) - (
            before.counted_attempts + before.uncounted_attempts
        )
        if failed > 0 and after.reason is not None:
            self._failures.labels(after.name.value, after.reason.value).inc(failed)
        done = after.state is StageState.SUCCEEDED and before.state is not StageState.SUCCEEDED
        if done and after.started is not None and after.ended is not None:
            self._stage_seconds.labels(after.name.value).observe(after.ended - after.started)


class _Tables(Collector):
    def __init__(self, jobs: HasJobs, slots: SlotTable) -> None:
        self._jobs = jobs
        self._slots = slots

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        drivers = self._jobs.snapshot()
        yield from self._of_jobs(drivers)
        yield from self._of_queue()
        yield from self._of_workers()
        yield from _in_progress(drivers)

    def _of_jobs(self, drivers: list[JobDriver]) -> Iterator[Metric]:
        phases = Tally(driver.status.phase for driver in drivers)
        running = Tally(stage.name for _, stage in _running(drivers))
        yield _family("splatworks_jobs", "Jobs by phase.", "phase", {p.value: phases[p] for p in Phase})
        yield _family(
            "splatworks_stages_running",
            "Stages that a worker is busy with.",
            "stage",
            {stage.value: running[stage] for stage in StageName},
        )

    def _of_queue(self) -> Iterator[Metric]:
        waits = self._slots.waits()
        ages = {stage: [age for waiting, age in waits if waiting is stage] for stage in StageName}
        yield _family(
            "splatworks_queue_depth",
            "Jobs whose next stage waits for a worker.",
            "stage",
            {stage.value: len(found) for stage, found in ages.items()},
        )
        yield _family(
            "splatworks_queue_oldest_age_seconds",
            "How long the job that has waited longest has waited.",
            "stage",
            {stage.value: max(found, default=0.0) for stage, found in ages.items()},
        )

    def _of_workers(self) -> Iterator[Metric]:
        workers = [known for known in self._slots.workers if known.open]
        held = Tally(hold.stage for hold in self._slots.holds)
        total, count = Tally[StageName](), Tally[StageName]()
        for known in workers:
            total[known.stage] += known.slots
            count[known.stage] += 1
        for name, text, values in (
            ("splatworks_worker_slots", "Operations that the workers can run at a time.", total),
            ("splatworks_worker_slots_used", "Slots that jobs hold.", held),
            ("splatworks_workers", "Workers that take work.", count),
        ):
            yield _family(name, text, "stage", {stage.value: values[stage] for stage in StageName})


def _in_progress(drivers: list[JobDriver]) -> Iterator[Metric]:
    labels = ["namespace", "job", "stage"]
    percent = GaugeMetricFamily("splatworks_job_progress_percent", "How far a job's stage is.", labels=labels)
    eta = GaugeMetricFamily("splatworks_job_eta_seconds", "How long a job's stage will take.", labels=labels)
    figures = GaugeMetricFamily(
        "splatworks_job_figure", "Figures of a job in progress.", labels=["namespace", "job", "figure"]
    )
    for driver, stage in _running(drivers):
        metadata = driver.resource["metadata"]
        where = [metadata["namespace"], metadata["name"]]
        percent.add_metric([*where, stage.name.value], stage.progress.percent)
        if stage.progress.eta_seconds is not None:
            eta.add_metric([*where, stage.name.value], stage.progress.eta_seconds)
        known = {name: value for found in driver.status.stages for name, value in found.metrics.items()}
        known |= stage.progress.metrics
        for figure in FIGURES:
            if figure in known:
                figures.add_metric([*where, figure], known[figure])
    yield from (percent, eta, figures)


def _running(drivers: list[JobDriver]) -> Iterator[tuple[JobDriver, StageStatus]]:
    for driver in drivers:
        stage = driver.status.current
        if stage is not None and stage.state is StageState.RUNNING:
            yield driver, stage


def _family(name: str, text: str, label: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
