"""A world of workers that die and a driver that dies too: the pipeline's promises hold whatever happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from splatworks_common.reasons import Reason
from splatworks_operator.job import Job
from splatworks_operator.pipeline import Cancel, Failure, Observation, Result, Start, reconcile
from splatworks_operator.resource import from_resource, to_resource
from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import JobStatus, Phase, Progress, StageName, StageState, WorkerRef

MOST_COUNTED, MOST_UNCOUNTED = 2, 4


@dataclass
class Process:
    """One worker process: its operations are gone when it is."""

    ref: WorkerRef
    operations: dict[str, Observation] = field(default_factory=dict)


class Faults(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        spec = {
            "source": {"uri": "s3://photos/fox"},
            "failurePolicy": {
                "maxAttemptsPerStage": MOST_COUNTED,
                "maxUncountedAttemptsPerStage": MOST_UNCOUNTED,
            },
        }
        self.job = Job("uid", "fox", SplatJobSpec.model_validate(spec), "s3://p/jobs/uid", slug="fox")
        self.written = to_resource(JobStatus())
        self.seen = JobStatus()
        self.now = 0
        self.instances = 0
        self.processes: dict[str, Process] = {}
        self.executions: Counter[str] = Counter()
        self.manifests: set[str] = set()

    # The world

    @rule(name=st.sampled_from(["pod-1", "pod-2"]))
    def a_worker_starts_in_place_of_what_was_there(self, name):
        self.instances += 1
        self.processes[name] = Process(WorkerRef(name, f"{name}:50051", str(self.instances)))

    @rule(name=st.sampled_from(["pod-1", "pod-2"]))
    def a_worker_dies(self, name):
        self.processes.pop(name, None)

    @rule(percent=st.integers(0, 99))
    def work_moves_on(self, percent):
        self._change(Observation(progress=Progress(percent=percent)))

    @rule()
    def work_succeeds(self):
        for request_id in self._change(Observation(result=Result(cached=False, metrics={}))):
            self.manifests.add(request_id.split(".")[1])

    @rule(reason=st.sampled_from([Reason.INTERNAL, Reason.PREEMPTED, Reason.STORAGE_UNAVAILABLE]))
    def work_fails(self, reason):
        self._change(Observation(failure=Failure(reason, "what happened")))

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(suspend=st.booleans())
    def the_job_is_suspended_or_resumed(self, suspend):
        self._edit(suspend=suspend)

    @rule()
    def the_job_is_terminated(self):
        self._edit(terminate=True)

    # The driver

    @rule(
        dies=st.sampled_from(["never", "never", "before it cancels", "before it writes", "before it starts"])
    )
    def the_driver_takes_a_step(self, dies):
        status = from_resource(self.written)
        new, actions = reconcile(self.job, status, self._observe(status), self.now)
        if dies == "before it cancels":
            return
        for action in actions:
            if isinstance(action, Cancel):
                self._cancel(action)
        if dies == "before it writes":
            return
        self._check_step(status, new)
        self.written = to_resource(new)
        if dies == "before it starts":
            return
        for action in actions:
            if isinstance(action, Start):
                self._start(action)

    @precondition(lambda self: not self.job.spec.terminate)
    @rule()
    def a_job_that_is_left_in_peace_comes_to_its_end(self):
        self._edit(suspend=False)
        self.a_worker_starts_in_place_of_what_was_there("pod-1")
        for _ in range(40):
            self.now += 1000
            self.the_driver_takes_a_step("never")
            self.work_succeeds()
        assert from_resource(self.written).phase.terminal

    # The promises

    @invariant()
    def no_request_id_runs_twice(self):
        assert all(count == 1 for count in self.executions.values())

    @invariant()
    def a_finished_stage_never_runs_again(self):
        for stage in from_resource(self.written).stages:
            if stage.state is StageState.SUCCEEDED:
                latest = max(
                    (int(id.split(".")[2]) for id in self.executions if id.split(".")[1] == stage.name),
                    default=0,
                )
                assert latest <= stage.attempt

    @invariant()
    def attempts_stay_within_the_policy(self):
        for stage in from_resource(self.written).stages:
            assert stage.counted_attempts <= MOST_COUNTED
            assert stage.uncounted_attempts <= MOST_UNCOUNTED + 1

    @invariant()
    def only_one_stage_is_under_way(self):
        states = [stage.state for stage in from_resource(self.written).stages]
        begun = [state for state in states if state is not StageState.SUCCEEDED]
        assert all(state is StageState.PENDING for state in begun[1:])

    def _check_step(self, old: JobStatus, new: JobStatus):
        if old.phase.terminal:
            assert new == old
        for before, after in zip(old.stages, new.stages, strict=True):
            if before.attempt == after.attempt and after.state is StageState.RUNNING:
                assert after.progress.percent >= before.progress.percent
        if new.phase in (Phase.SUSPENDED, Phase.SUCCEEDED, Phase.FAILED):
            assert not self._running()

    # How the world answers

    def _observe(self, status: JobStatus) -> Observation:
        stage = status.current
        if stage is None or status.phase.terminal:
            return Observation()
        if stage.state is not StageState.RUNNING:
            return Observation(offer=next((p.ref for p in self.processes.values()), None))
        assert stage.worker is not None
        process = self.processes.get(stage.worker.name)
        if process is not None and process.ref == stage.worker:
            return process.operations.get(stage.operation, Observation())
        if stage.name in self.manifests:
            return Observation(result=Result(cached=False, metrics={}))
        return Observation(lost=f"{stage.worker.name} is gone")

    def _start(self, action: Start):
        process = self.processes.get(action.worker.name)
        if process is None or process.ref != action.worker:
            return  # nobody there, or another process, which refuses
        operation = f"operations/{action.request_id}"
        if operation not in process.operations:
            self.executions[action.request_id] += 1
            process.operations[operation] = Observation(progress=Progress())

    def _cancel(self, action: Cancel):
        process = self.processes.get(action.worker.name)
        state = process.operations.get(action.operation) if process is not None else None
        if process is not None and state is not None and state.progress is not None:
            gone = Observation(failure=Failure(Reason.CANCELLED, "cancelled"))
            process.operations[action.operation] = gone

    def _running(self) -> list[tuple[Process, str]]:
        return [
            (process, name)
            for process in self.processes.values()
            for name, state in process.operations.items()
            if state.progress is not None
        ]

    def _change(self, state: Observation) -> list[str]:
        running = self._running()
        for process, name in running:
            process.operations[name] = state
        return [name.removeprefix("operations/") for _, name in running]

    def _edit(self, **changes):
        self.job = replace(self.job, spec=self.job.spec.model_copy(update=changes))


TestFaults = Faults.TestCase
TestFaults.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_all_stages_are_part_of_this_world():
    assert [stage.name for stage in JobStatus().stages] == list(StageName)
