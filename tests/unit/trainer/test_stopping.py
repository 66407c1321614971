from __future__ import annotations

from splatworks_trainer.config import PlateauMetric, TrainOptions
from splatworks_trainer.stopping import StopReason, StopRule, Verdict

GO_ON = Verdict(keep=True, stop=None)


def look(rule: StopRule, psnr: float, *, complete: bool, settled: bool) -> Verdict:
    return rule.look(psnr, psnr=psnr, complete=complete, settled=settled)


def test_a_rising_psnr_goes_on_and_is_kept() -> None:
    rule = StopRule(TrainOptions(plateau_patience=1))

    assert [look(rule, psnr, complete=True, settled=True) for psnr in (20.0, 21.0, 22.0)] == [GO_ON] * 3


def test_a_plateau_ends_the_run_after_the_patience() -> None:
    rule = StopRule(TrainOptions(plateau_patience=2, plateau_min_delta=0.1))
    look(rule, 25.0, complete=True, settled=True)

    first, second = (
        look(rule, 24.9, complete=True, settled=True),
        look(rule, 24.8, complete=True, settled=True),
    )

    assert first == Verdict(keep=False, stop=None)
    assert second == Verdict(keep=False, stop=StopReason.PLATEAU)


def test_a_gain_below_the_least_delta_is_kept_but_counts_as_plateau() -> None:
    rule = StopRule(TrainOptions(plateau_patience=1, plateau_min_delta=0.1))
    look(rule, 25.0, complete=True, settled=True)

    assert look(rule, 25.05, complete=True, settled=True) == Verdict(keep=True, stop=StopReason.PLATEAU)


def test_slow_gains_add_up() -> None:
    rule = StopRule(TrainOptions(plateau_patience=2, plateau_min_delta=0.1))

    stops = [look(rule, 25.0 + 0.06 * i, complete=True, settled=True).stop for i in range(6)]

    assert stops == [None] * 6


def test_a_falling_psnr_while_gaussians_are_added_means_nothing() -> None:
    rule = StopRule(TrainOptions(plateau_patience=1))

    assert [look(rule, psnr, complete=False, settled=False) for psnr in (25.0, 24.0, 23.0)] == [GO_ON] * 3


def test_the_first_complete_model_replaces_a_better_early_one() -> None:
    rule = StopRule(TrainOptions())
    look(rule, 25.0, complete=False, settled=False)

    assert look(rule, 24.0, complete=True, settled=True) == GO_ON


def test_the_best_model_may_be_one_from_before_full_size() -> None:
    rule = StopRule(TrainOptions(plateau_patience=2))
    look(rule, 25.0, complete=True, settled=False)

    verdicts = [look(rule, psnr, complete=True, settled=True) for psnr in (24.5, 24.0)]

    assert [verdict.keep for verdict in verdicts] == [False, False]
    assert verdicts[-1].stop is StopReason.PLATEAU


def test_no_plateau_is_seen_before_full_size() -> None:
    rule = StopRule(TrainOptions(plateau_patience=1))

    assert [look(rule, 25.0, complete=True, settled=False).stop for _ in range(5)] == [None] * 5


def test_no_patience_means_no_plateau() -> None:
    rule = StopRule(TrainOptions(plateau_patience=0))

    assert [look(rule, 20.0, complete=True, settled=True).stop for _ in range(50)] == [None] * 50


def test_the_target_ends_the_run_at_once() -> None:
    rule = StopRule(TrainOptions(target_psnr=24.0))

    assert look(rule, 24.0, complete=False, settled=False) == Verdict(keep=True, stop=StopReason.TARGET_PSNR)


def test_the_target_is_a_psnr_whatever_figure_is_watched() -> None:
    rule = StopRule(TrainOptions(target_psnr=30.0, plateau_metric=PlateauMetric.SSIM))

    verdicts = [rule.look(0.9, psnr=psnr, complete=False, settled=False) for psnr in (29.0, 31.0)]

    assert [verdict.stop for verdict in verdicts] == [None, StopReason.TARGET_PSNR]
