"""The examples, applied as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from splatworks_operator.spec import SplatJobSpec
from tests.integration.crd.splatjobs import SplatJobs

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILES = [EXAMPLES / "splatjob.yaml", *sorted((EXAMPLES / "splatjobs").glob("*.yaml"))]


@pytest.mark.kube
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_taken_as_it_stands(splatjobs: SplatJobs, file: Path) -> None:
    made = splatjobs.cluster.apply(file, namespace=splatjobs.namespace).split()

    assert len(made) == len([*yaml.safe_load_all(file.read_text())])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_sets_only_what_differs_from_the_defaults(file: Path) -> None:
    for resource in yaml.safe_load_all(file.read_text()):
        if resource["kind"] == "SplatJob":
            spec = SplatJobSpec.model_validate(resource["spec"])
            said = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
            needed = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)

            assert said == needed
