import psutil
import pytest

START = """
    import subprocess, sys
    def start(command):
        return subprocess.Popen([sys.executable, "-c", command])
    SLEEP = "import time; time.sleep(600)"
"""


def run(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    pytester.makepyfile(START + test)
    return pytester.runpytest_subprocess("-p", "tests.plugins.leftover_processes")


@pytest.fixture(autouse=True)
def importable_plugins(monkeypatch: pytest.MonkeyPatch, repository: object) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))


def test_a_process_left_by_a_test_fails_the_run(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_leaves_one():
        process = start(SLEEP)
        open("pid", "w").write(str(process.pid))
""",
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*processes left running*", "*time.sleep(600)*"])
    assert not psutil.pid_exists(int((pytester.path / "pid").read_text()))


def test_an_orphan_is_found_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_leaves_a_grandchild():
        orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
        assert start(orphan).wait() == 0
""",
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*time.sleep(600)*"])


def test_a_process_that_ended_is_no_matter(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_waits():
        assert start("pass").wait() == 0
""",
    )

    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*left running*")
