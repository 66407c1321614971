import pytest

from splatworks_common.reasons import InvalidField
from splatworks_sfm.config import Matching, SfmOptions


def test_defaults_are_within_their_own_ranges() -> None:
    assert SfmOptions().matching is Matching.AUTO


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threads", 0),
        ("seed", -1),
        ("max_features", 10),
        ("max_feature_size", 100_000),
        ("max_photo_pixels", 10**9),
        ("min_registered_fraction", 1.5),
        ("min_registered_fraction", float("nan")),
        ("jpeg_quality", 101),
        ("max_archive_bytes", 0),
        ("matching", "spatial"),
    ],
)
def test_a_value_out_of_range_names_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidField, match=field):
        SfmOptions(**{field: value})  # type: ignore[arg-type]
