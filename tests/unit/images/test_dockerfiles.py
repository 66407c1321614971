"""What every Dockerfile promises, read from the files themselves; `make images` builds them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
DOCKERFILES = {
    "sfm": "services/sfm/Dockerfile",
    "trainer": "services/trainer/Dockerfile",
    "compressor": "services/compressor/Dockerfile",
    "streamer": "services/streamer/Dockerfile",
    "operator": "operator/Dockerfile",
    "store": "services/common/Dockerfile.store",
}
COMPILERS = re.compile(r"\b(gcc|g\+\+|c\+\+|clang|cmake|ninja|make|build-essential|python3-dev|-devel)\b")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword, and the rest with continued lines joined."""

    keyword: str
    text: str


@dataclass(frozen=True)
class Dockerfile:
    name: str
    preamble: list[Instruction]
    stages: list[list[Instruction]]

    @property
    def last(self) -> list[Instruction]:
        return self.stages[-1]

    def texts(self, keyword: str) -> list[str]:
        """What the last stage gives a keyword, in order."""
        return [found.text for found in self.last if found.keyword == keyword]

    def default(self, argument: str) -> str:
        defaults = dict(found.text.split("=", 1) for found in self.preamble if found.keyword == "ARG")
        return defaults[argument]


def parse(name: str) -> Dockerfile:
    lines = (REPOSITORY / DOCKERFILES[name]).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text)
    instructions = [Instruction(*line.split(None, 1)) for line in joined.splitlines() if line]
    begins = [number for number, found in enumerate(instructions) if found.keyword == "FROM"]
    ends = [*begins[1:], len(instructions)]
    stages = [instructions[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return Dockerfile(name, instructions[: begins[0]], stages)


@pytest.fixture(params=DOCKERFILES)
def dockerfile(request: pytest.FixtureRequest) -> Dockerfile:
    return parse(request.param)


def test_every_dockerfile_is_tested() -> None:
    found = {
        str(path.relative_to(REPOSITORY))
        for folder in ("services", "operator")
        for path in (REPOSITORY / folder).rglob("Dockerfile*")
        if not {"node_modules", "build"} & set(path.parts)
    }

    assert found == set(DOCKERFILES.values())


def test_both_bases_can_be_replaced(dockerfile: Dockerfile) -> None:
    assert [stage[0].text for stage in dockerfile.stages] == ["${BUILD_IMAGE} AS build", "${BASE_IMAGE}"]


@pytest.mark.parametrize("argument", ["BASE_IMAGE", "BUILD_IMAGE"])
def test_default_bases_are_pinned(dockerfile: Dockerfile, argument: str) -> None:
    _, _, tag = dockerfile.default(argument).rpartition(":")

    assert re.fullmatch(r"\d+\.\d+.*", tag), "a tag with a version, not `latest`"


def test_it_runs_as_nobody_in_particular(dockerfile: Dockerfile) -> None:
    assert dockerfile.texts("USER")[-1:] == ["10001:10001"]
    assert not [found for found in dockerfile.last if found.keyword == "USER" and "root" in found.text]


def test_the_last_stage_gets_no_compiler(dockerfile: Dockerfile) -> None:
    assert not COMPILERS.search(dockerfile.default("BASE_IMAGE"))
    assert not [text for text in dockerfile.texts("RUN") if COMPILERS.search(text)]


def test_the_last_stage_takes_only_the_environment_from_the_build(dockerfile: Dockerfile) -> None:
    copied = [text for text in dockerfile.texts("COPY") if text.startswith("--from=")]

    assert copied == ["--from=build /opt/splatworks /opt/splatworks"]


def test_versions_come_from_the_constraints(dockerfile: Dockerfile) -> None:
    build = dockerfile.stages[0]

    assert [found for found in build if found.keyword == "COPY" and found.text.startswith("constraints.txt")]
    assert next(found.text for found in build if found.keyword == "RUN").startswith("scripts/image_steps.sh")


def test_the_build_gets_every_distribution_that_is_needed(dockerfile: Dockerfile) -> None:
    folder = str(Path(DOCKERFILES[dockerfile.name]).parent)
    copied = {
        found.text.split()[0]
        for found in dockerfile.stages[0]
        if found.keyword == "COPY" and found.text.startswith(("services/", "operator"))
    }

    assert copied == {folder, *(f"services/{name}" for name in own_requirements(folder))}


def own_requirements(folder: str) -> set[str]:
    """The names of this project's distributions that one of them depends on."""
    dependencies = pyproject(folder)["project"]["dependencies"]
    return {match[1] for line in dependencies if (match := re.match(r"splatworks-(\w+)", line))}


def pyproject(folder: str) -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text())


def test_the_entry_point_is_an_installed_command(dockerfile: Dockerfile) -> None:
    folder = str(Path(DOCKERFILES[dockerfile.name]).parent)
    command = json.loads(dockerfile.texts("ENTRYPOINT")[0])

    assert command == [f"splatworks-{dockerfile.name}"]
    assert command[0] in pyproject(folder)["project"]["scripts"]


def test_its_health_can_be_asked_for(dockerfile: Dockerfile) -> None:
    scheme = {"operator": "http", "store": "tcp"}.get(dockerfile.name, "grpc")
    (check,) = dockerfile.texts("HEALTHCHECK")

    assert f'CMD ["python", "-m", "splatworks_common.probe", "{scheme}://127.0.0.1:' in check


def test_it_is_asked_to_stop_with_sigterm(dockerfile: Dockerfile) -> None:
    assert dockerfile.texts("STOPSIGNAL") == ["SIGTERM"]


def test_labels_say_what_it_is(dockerfile: Dockerfile) -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', dockerfile.texts("LABEL")[0]))

    assert labels.pop("description")
    assert labels == {
        "title": f"splatworks-{dockerfile.name}",
        "licenses": "Apache-2.0",
        "version": "${VERSION}",
        "revision": "${REVISION}",
        "base.name": "${BASE_IMAGE}",
    }


def test_the_default_version_is_that_of_the_distribution(dockerfile: Dockerfile) -> None:
    folder = str(Path(DOCKERFILES[dockerfile.name]).parent)

    assert f"VERSION={pyproject(folder)['project']['version']}" in dockerfile.texts("ARG")


def test_the_cpu_variant_has_the_bases_of_the_images_without_cuda() -> None:
    script = (REPOSITORY / "scripts" / "images.sh").read_text()
    bases = dict(re.findall(r"^cpu_(base|build)_image=(.+)$", script, re.MULTILINE))

    for name in ("sfm", "streamer", "operator", "store"):
        found = parse(name)
        assert bases == {"base": found.default("BASE_IMAGE"), "build": found.default("BUILD_IMAGE")}


@pytest.mark.parametrize("name", ["trainer", "compressor"])
def test_what_may_use_a_gpu_has_a_base_with_cuda(name: str) -> None:
    assert parse(name).default("BASE_IMAGE").startswith("nvidia/cuda:")


def test_gsplat_is_compiled_with_the_cuda_that_torch_and_the_bases_have() -> None:
    trainer = parse("trainer")
    pins = (REPOSITORY / "services/trainer/constraints-cuda.txt").read_text()
    cuda = re.search(r"^nvidia-cuda-runtime-cu12==(\d+\.\d+)\.", pins, re.MULTILINE)

    assert cuda
    assert trainer.default("BUILD_IMAGE").startswith(f"nvidia/cuda:{cuda[1]}.")
    assert "-devel-" in trainer.default("BUILD_IMAGE")
    assert trainer.default("BASE_IMAGE").startswith(f"nvidia/cuda:{cuda[1]}.")


def test_what_the_variants_have_besides_is_an_extra_of_the_trainer() -> None:
    extras = tomllib.loads((REPOSITORY / "services/trainer/pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    install = parse("trainer").stages[0][-1].text

    assert '"./services/trainer[${VARIANT}]"' in install
    assert extras["cpu"] == []
    assert {re.match(r"[\w-]+", line)[0] for line in extras["cuda"]} == {"torch", "gsplat", "packaging"}  # type: ignore[index]


def test_the_script_tells_the_variant_to_the_dockerfile_that_asks_for_it() -> None:
    script = (REPOSITORY / "scripts" / "images.sh").read_text()

    assert '--build-arg "VARIANT=$VARIANT"' in script
    assert parse("trainer").default("VARIANT") == "cuda"


def step(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a step of the builds where there is no compiler for CUDA."""
    return subprocess.run(
        [REPOSITORY / "scripts/image_steps.sh", *arguments],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_compiled_for_cpus() -> None:
    assert step("gsplat", "cpu").returncode == 0


@pytest.mark.skipif(
    shutil.which("nvcc", path="/usr/bin:/bin") is not None, reason="needs a machine without nvcc"
)
def test_a_build_image_without_a_compiler_for_cuda_is_refused() -> None:
    result = step("gsplat", "cuda")

    assert result.returncode == 1
    assert "BUILD_IMAGE has no nvcc: choose one like nvidia/cuda:" in result.stderr


def test_the_operator_brings_photos_to_try() -> None:
    assert "examples/capture/*.jpg /opt/splatworks/sample/" in parse("operator").texts("COPY")
