from __future__ import annotations

from dataclasses import replace

import pytest

from splatworks_trainer.config import STANDARD, TrainOptions
from splatworks_trainer.schedule import Polish, Schedule, planned_steps

OPTIONS = replace(STANDARD, resolution_schedule=((0.25, 0.0), (0.5, 0.1), (1.0, 0.4)), densify_until=0.5)


def schedule(steps: int = 1000, options: TrainOptions = OPTIONS) -> Schedule:
    return Schedule(steps, 2.0, options)


def test_photos_grow_by_the_schedule() -> None:
    sizes = [schedule().image_size(step) for step in (0, 99, 100, 399, 400, 999)]

    assert sizes == [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]


def test_sh_bands_join_one_by_one_up_to_the_degree() -> None:
    course = schedule(options=replace(OPTIONS, sh_degree=2, sh_schedule=(0.25, 0.5, 0.75)))

    assert [course.sh_degree(step) for step in (0, 249, 250, 500, 999)] == [0, 0, 1, 2, 2]


def test_sh_bands_can_train_from_the_start() -> None:
    assert schedule(options=replace(OPTIONS, sh_schedule=())).sh_degree(0) == 3


def test_only_the_rate_of_the_means_always_decays() -> None:
    course = schedule(options=replace(OPTIONS, rate_scale=1.0))
    first, half, later = course.rates(0), course.rates(500), course.rates(849)

    assert first.means == pytest.approx(1.6e-4 * 2.0)
    assert half.means == pytest.approx(first.means * 0.1)
    assert later.means == pytest.approx(first.means * 0.01**0.849)
    assert (first.log_scales, first.quats, first.opacities) == (
        later.log_scales,
        later.quats,
        later.opacities,
    )
    assert first.shN == pytest.approx(first.sh0 / 20)


def test_all_rates_fade_at_the_end() -> None:
    course = schedule()
    steady, faded = (vars(rates) for rates in (course.steady_rates(1000), course.rates(1000)))

    assert faded == pytest.approx({name: 0.2 * rate for name, rate in steady.items()})


def test_a_polish_begins_with_rates_that_have_not_faded() -> None:
    course = schedule()
    polish = Polish(100, course)

    assert vars(polish.rates(0)) == pytest.approx(vars(course.steady_rates(1000)))
    assert polish.rates(100).sh0 == pytest.approx(course.steady_rates(1000).sh0 / 10)


def test_rate_scale_multiplies_every_rate() -> None:
    single = schedule(options=replace(OPTIONS, rate_scale=1.0)).rates(10)
    triple = schedule(options=replace(OPTIONS, rate_scale=3.0)).rates(10)

    assert vars(triple) == pytest.approx({name: 3 * rate for name, rate in vars(single).items()})


def test_rounds_of_densifying_are_evenly_spaced() -> None:
    course = schedule(options=replace(OPTIONS, densify_start=0.1, densify_until=0.5, densify_rounds=5))

    assert [s + 1 for s in range(1000) if course.densifies_after(s)] == [100, 200, 300, 400, 500]


@pytest.mark.parametrize(("steps", "looks"), [(10, 1), (260, 1), (400, 1), (1000, 3), (2000, 6), (10_000, 6)])
def test_errors_are_looked_at_less_the_fewer_steps_are_between(steps: int, looks: int) -> None:
    assert Schedule(steps, 1.0, STANDARD).error_looks == looks


def test_no_rounds_means_no_densifying() -> None:
    course = schedule(options=replace(OPTIONS, densify_rounds=0))

    assert not any(course.densifies_after(step) for step in range(1000))


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_the_last_step_is_always_evaluated(steps: int) -> None:
    assert schedule(steps).evaluates_after(steps - 1)


def test_evaluations_are_evenly_spaced() -> None:
    course = schedule(options=replace(OPTIONS, evaluations=4))

    assert [s + 1 for s in range(1000) if course.evaluates_after(s)] == [250, 500, 750, 1000]


def test_a_run_is_complete_when_no_more_gaussians_are_added() -> None:
    course = schedule()

    assert [course.complete_after(step) for step in (399, 499, 500, 999)] == [False, False, True, True]


def test_a_complete_run_settles_at_full_size() -> None:
    course = schedule(options=replace(OPTIONS, resolution_schedule=((0.5, 0.0), (1.0, 0.7))))

    assert [course.settled_after(step) for step in (499, 500, 699, 700)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("photos", "steps"),
    [(50, 2000), (24, 2000), (200, 4000), (18, 1500), (6, 1000), (1, 1000), (10_000, 10_000)],
)
def test_few_photos_get_fewer_steps_and_many_get_more(photos: int, steps: int) -> None:
    assert planned_steps(TrainOptions(steps_for_50_photos=2000), photos) == steps


def test_a_number_of_steps_asked_for_is_kept() -> None:
    assert planned_steps(TrainOptions(max_steps=123), 500) == 123


def test_early_steps_take_less_of_the_time() -> None:
    course = schedule(options=replace(OPTIONS, dense_start=0.35))
    shares = [course.share(done) for done in range(0, 1001, 100)]

    assert (shares[0], shares[-1]) == (0, 1)
    assert shares == sorted(shares)
    assert shares[1] < 0.5 * (shares[10] - shares[9])


def test_all_steps_of_a_polish_take_the_same() -> None:
    assert [Polish(100, schedule()).share(done) for done in (0, 25, 100)] == [0, 0.25, 1]


def test_the_time_of_a_run_without_a_change_goes_with_its_steps() -> None:
    course = schedule(options=replace(OPTIONS, dense_start=1.0, resolution_schedule=((1.0, 0.0),)))

    assert [course.share(done) for done in (250, 500)] == pytest.approx([0.25, 0.5])
