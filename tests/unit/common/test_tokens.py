from __future__ import annotations

from pathlib import Path

import pytest

from splatworks_common.tokens import TokenFile, UnusableToken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first-token\n")
    return path


def test_a_replaced_token_is_the_current_one(file: Path) -> None:
    token = TokenFile(file)
    file.write_text("second-token")

    assert token.current() == "second-token"


@pytest.mark.parametrize("content", ["", "two\nlines", "two words", "grün"])
def test_a_file_without_one_token_is_refused_and_not_quoted(file: Path, content: str) -> None:
    file.write_text(content)

    with pytest.raises(UnusableToken) as caught:
        TokenFile(file)

    assert str(caught.value) == f"{file} holds something else than one line with a token"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableToken, match=r"none can not be read: No such file"):
        TokenFile(tmp_path / "none")


@pytest.mark.parametrize("break_it", [Path.unlink, lambda file: file.write_text("")])
def test_a_token_that_becomes_unusable_leaves_the_last_one_and_one_line_in_the_log(
    file: Path, break_it, caplog: pytest.LogCaptureFixture
) -> None:
    token = TokenFile(file)
    break_it(file)

    assert [token.current(), token.current()] == ["first-token", "first-token"]
    assert len(caplog.records) == 1


def test_the_token_is_not_shown(file: Path) -> None:
    assert "first-token" not in repr(TokenFile(file))
