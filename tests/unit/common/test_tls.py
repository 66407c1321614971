from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from splatworks_common.tls import ServerCertificates, ServerTls, UnusableCertificate, read_pem
from tests.certificates import Authority, Files


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> Files:
    return authority.issue("worker", ["worker.test.svc"], days=10)


def days_left(certificates: ServerCertificates) -> float:
    return (certificates.expiry() - time.time()) / 86400


def test_the_expiry_is_that_of_the_certificate(files: Files) -> None:
    assert days_left(ServerCertificates(ServerTls(files.cert, files.key))) == pytest.approx(10, abs=0.1)


def test_a_replaced_certificate_is_the_one_from_then_on(files: Files, authority: Authority) -> None:
    certificates = ServerCertificates(ServerTls(files.cert, files.key))
    authority.issue("worker", ["worker.test.svc"], days=20)

    assert days_left(certificates) == pytest.approx(20, abs=0.1)


def broken_half(files: Files, authority: Authority) -> None:
    shutil.copy(authority.issue("other", ["other.test.svc"]).key, files.key)


def broken_text(files: Files, authority: Authority) -> None:
    files.cert.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")


def broken_removed(files: Files, authority: Authority) -> None:
    files.key.unlink()


@pytest.mark.parametrize("break_it", [broken_half, broken_text, broken_removed])
def test_a_replacement_that_can_not_be_used_leaves_the_last_one_and_one_line_in_the_log(
    files: Files, authority: Authority, break_it, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = ServerCertificates(ServerTls(files.cert, files.key, authority.file))
    break_it(files, authority)

    assert days_left(certificates) == pytest.approx(10, abs=0.1)
    assert days_left(certificates) == pytest.approx(10, abs=0.1)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("break_it", [broken_half, broken_text, broken_removed])
def test_files_that_can_not_be_used_from_the_start_are_named(
    files: Files, authority: Authority, break_it
) -> None:
    break_it(files, authority)

    with pytest.raises(UnusableCertificate, match=r"worker\.(crt|key)"):
        ServerCertificates(ServerTls(files.cert, files.key))


@pytest.mark.parametrize("content", ["", "rubbish"])
def test_a_file_without_an_authority_is_named(files: Files, tmp_path: Path, content: str) -> None:
    ca = tmp_path / "empty.crt"
    ca.write_text(content)

    with pytest.raises(UnusableCertificate, match=r"empty\.crt holds no certificate"):
        ServerCertificates(ServerTls(files.cert, files.key, client_ca=ca))


def test_a_certificate_without_its_key_is_refused(files: Files) -> None:
    with pytest.raises(UnusableCertificate, match="together"):
        read_pem(cert=files.cert, key=None, ca=None)


def test_a_private_key_is_not_shown(files: Files) -> None:
    assert "PRIVATE KEY" not in repr(read_pem(cert=files.cert, key=files.key, ca=None))
