from importlib.metadata import distribution
from pathlib import Path

import pytest

THIRD_PARTY = Path(__file__).parents[3] / "third_party"
NAME_IN_PACKAGE = {"google/longrunning/operations.proto": "google/longrunning/operations_proto.proto"}


@pytest.mark.parametrize(
    "proto", [str(path.relative_to(THIRD_PARTY)) for path in THIRD_PARTY.rglob("*.proto")]
)
def test_copied_protos_are_those_of_the_installed_package(proto: str) -> None:
    package = distribution("googleapis-common-protos")
    published = Path(str(package.locate_file(NAME_IN_PACKAGE.get(proto, proto))))

    assert (THIRD_PARTY / proto).read_text() == published.read_text()
