from pathlib import Path

import pytest


def summary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, repository: Path, tests: str) -> str:
    monkeypatch.setenv("PYTHONPATH", str(repository))
    pytester.makepyfile(tests)
    output = pytester.runpytest_subprocess("-p", "tests.plugins.skip_summary").stdout.str()
    return output.split("skipped and why")[1]


def test_skips_are_grouped_by_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    lines = summary(
        pytester,
        monkeypatch,
        repository,
        """
        import pytest
        @pytest.mark.parametrize("n", [1, 2])
        def test_in_the_body(n): pytest.skip("needs a GPU")
        @pytest.mark.skipif(True, reason="needs chromium")
        def test_by_mark(): pass
        """,
    ).splitlines()

    assert "   2  needs a GPU" in lines
    assert "   1  needs chromium" in lines


def test_a_run_without_skips_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    assert "nothing was skipped" in summary(pytester, monkeypatch, repository, "def test_passes(): pass")
