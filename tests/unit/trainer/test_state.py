"""The files of a checkpoint of training."""

from __future__ import annotations

import errno
import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from splatworks_common.splats import Splats
from splatworks_trainer import safe_point as safe_point_module
from splatworks_trainer.safe_point import SafePoint
from splatworks_trainer.state import Kept, Position, RunState, read_state, write_state
from splatworks_trainer.stopping import Seen


def splats(count: int) -> Splats:
    rng = np.random.default_rng(count)
    return Splats(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        log_scales=rng.normal(size=(count, 3)).astype(np.float32),
        quats=rng.normal(size=(count, 4)).astype(np.float32),
        opacities=rng.normal(size=count).astype(np.float32),
        sh0=rng.normal(size=(count, 3)).astype(np.float32),
        shN=rng.normal(size=(count, 3, 3)).astype(np.float32),
    )


def state(**position: object) -> RunState:
    engine = {"parameters": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "steps": np.array(7)}
    rng = np.random.default_rng(3)
    return RunState(Position(rng, **position), engine, 12.5, '{"event": "start"}\n')  # type: ignore[arg-type]


def round_trip(state: RunState, folder: Path) -> RunState:
    folder.mkdir(parents=True)
    write_state(state, folder)
    return read_state(folder)


numbers = st.floats(allow_nan=False)
positions = st.fixed_dictionaries(
    {
        "step": st.integers(0, 200_000),
        "round": st.lists(st.integers(0, 5000)).map(tuple),
        "seen": st.builds(Seen, numbers, numbers, st.integers(0, 1000)),
        "kept": st.none() | st.builds(Kept, st.integers(0, 5).map(splats), st.integers(1, 200_000)),
        "figures": st.dictionaries(st.sampled_from(["psnr", "gaussians"]), st.floats(-1e9, 1e9)),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=positions)
def test_a_position_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, position: dict[str, object]
) -> None:
    given_state = state(**position)

    found = round_trip(given_state, tmp_path_factory.mktemp("states") / "state").position

    expected = given_state.position
    for name in ("step", "round", "seen", "figures"):
        assert getattr(found, name) == getattr(expected, name)
    assert (found.kept is None) == (expected.kept is None)
    if found.kept and expected.kept:
        assert found.kept.step == expected.kept.step
        for left, right in zip(astuple(found.kept.splats), astuple(expected.kept.splats), strict=True):
            np.testing.assert_array_equal(left, right)


@settings(max_examples=40, deadline=None)
@given(
    values=arrays.arrays(
        st.sampled_from([np.float32, np.int64, np.uint8]), arrays.array_shapes(min_dims=0, min_side=0)
    )
)
def test_an_engine_s_arrays_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray
) -> None:
    given_state = replace(state(), engine={"values": values})

    found = round_trip(given_state, tmp_path_factory.mktemp("states") / "state").engine["values"]

    assert (found.dtype, found.shape, found.tobytes()) == (values.dtype, values.shape, values.tobytes())


def test_random_choices_go_on_where_they_were(tmp_path: Path) -> None:
    given_state = state()
    given_state.position.rng.standard_normal(5)

    found = round_trip(given_state, tmp_path / "state")

    np.testing.assert_array_equal(
        found.position.rng.permutation(50), given_state.position.rng.permutation(50)
    )


def test_the_log_and_the_time_come_back(tmp_path: Path) -> None:
    found = round_trip(state(), tmp_path / "state")

    assert (found.log, found.seconds) == ('{"event": "start"}\n', 12.5)


def spoil_format(folder: Path) -> None:
    document = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**document, "format": 99}))


def spoil_path(folder: Path) -> None:
    document = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**document, "engine": ["../../secret"]}))


def cut_array(folder: Path) -> None:
    data = (folder / "engine.parameters.npy").read_bytes()
    (folder / "engine.parameters.npy").write_bytes(data[:-4])


def huge_array(folder: Path) -> None:
    data = (folder / "engine.parameters.npy").read_bytes()
    (folder / "engine.parameters.npy").write_bytes(data.replace(b"(1, 2, 3)", b"(9999999, 9999999, 3)", 1))


def pickled_array(folder: Path) -> None:
    np.save(folder / "engine.parameters.npy", np.array([{"a": 1}], object), allow_pickle=True)


def drop_array(folder: Path) -> None:
    (folder / "engine.parameters.npy").unlink()


def lose_the_model(folder: Path) -> None:
    document = json.loads((folder / "state.json").read_text())
    document["fitted"], document["kept_step"] = {"steps": 9, "stop_reason": "max_steps"}, None
    (folder / "state.json").write_text(json.dumps(document))


def no_json(folder: Path) -> None:
    (folder / "state.json").write_text("no")


@pytest.mark.parametrize(
    "spoil",
    [spoil_format, spoil_path, cut_array, huge_array, pickled_array, drop_array, lose_the_model, no_json],
)
def test_anything_else_is_refused(tmp_path: Path, spoil) -> None:
    write_state(state(), tmp_path)
    spoil(tmp_path)

    with pytest.raises(ValueError, match="state of training can not be read"):
        read_state(tmp_path)


def test_a_full_disk_leaves_the_earlier_place_to_go_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(state: RunState, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    safe_point = SafePoint(tmp_path)
    safe_point.save(state(step=3))
    monkeypatch.setattr(safe_point_module, "write_state", full)

    safe_point.save(state(step=7))

    loaded = safe_point.load()
    assert loaded is not None
    assert loaded.position.step == 3
    assert len(list(tmp_path.iterdir())) == 1
