from __future__ import annotations

from dataclasses import replace

import pytest

from splatworks_trainer.adc import AdaptiveDensityControl
from splatworks_trainer.choice import choose_strategy, settled
from splatworks_trainer.config import STANDARD, EngineName, StrategyName
from splatworks_trainer.mcmc import MarkovChainMonteCarlo
from splatworks_trainer.schedule import Schedule
from splatworks_trainer.strategy import Strategy

AUTO, ADC, MCMC = StrategyName


def chosen(strategy: StrategyName, engine: EngineName = EngineName.NATIVE, photos: int = 50) -> Strategy:
    options = settled(replace(STANDARD, strategy=strategy), engine, photos)
    return choose_strategy(Schedule(1000, 2.0, options))


@pytest.mark.parametrize(
    ("engine", "photos", "kind"),
    [
        (EngineName.NATIVE, 50, AdaptiveDensityControl),
        (EngineName.NATIVE, 24, AdaptiveDensityControl),
        (EngineName.NATIVE, 23, MarkovChainMonteCarlo),
        (EngineName.GSPLAT, 50, MarkovChainMonteCarlo),
    ],
)
def test_auto_explores_on_a_gpu_and_with_few_photos(
    engine: EngineName, photos: int, kind: type[Strategy]
) -> None:
    assert isinstance(chosen(AUTO, engine, photos), kind)


def test_absolute_gradients_ask_for_the_strategy_that_uses_them() -> None:
    options = settled(replace(STANDARD, absgrad=True), EngineName.GSPLAT, 50)

    assert options.strategy is ADC


@pytest.mark.parametrize(("strategy", "kind"), [(ADC, AdaptiveDensityControl), (MCMC, MarkovChainMonteCarlo)])
@pytest.mark.parametrize("engine", [EngineName.NATIVE, EngineName.GSPLAT])
def test_either_can_be_had_on_either_engine(
    strategy: StrategyName, kind: type[Strategy], engine: EngineName
) -> None:
    assert isinstance(chosen(strategy, engine), kind)


def test_what_is_long_is_measured_by_the_scene() -> None:
    adc = chosen(ADC)

    assert isinstance(adc, AdaptiveDensityControl)
    assert adc.split_length == pytest.approx(STANDARD.densify_split_scale * 2.0)


@pytest.mark.parametrize(("photos", "weight"), [(23, 0.0), (24, 0.2)])
def test_few_photos_are_asked_for_less_structure(photos: int, weight: float) -> None:
    assert settled(STANDARD, EngineName.NATIVE, photos).ssim_weight == weight


@pytest.mark.parametrize(("photos", "share"), [(23, 0.0), (24, 0.35)])
def test_few_photos_begin_with_sparse_points_alone(photos: int, share: float) -> None:
    assert settled(STANDARD, EngineName.NATIVE, photos).dense_start == share


@pytest.mark.parametrize(("share", "coarsest"), [(0.0, 0.125), (0.4, 0.25)])
def test_photos_begin_smaller_where_points_are_sparse(share: float, coarsest: float) -> None:
    options = settled(replace(STANDARD, dense_start=share), EngineName.NATIVE, 50)

    assert options.resolution_schedule is not None
    assert options.resolution_schedule[0] == (coarsest, 0.0)
    assert options.resolution_schedule[-1][0] == 1


def test_what_was_chosen_stays() -> None:
    options = replace(
        STANDARD,
        ssim_weight=0.4,
        dense_start=0.1,
        resolution_schedule=((1.0, 0.0),),
        strategy=ADC,
        engine=EngineName.NATIVE,
    )

    assert settled(options, EngineName.NATIVE, 3) == options
