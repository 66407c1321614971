from __future__ import annotations

import gzip
from importlib import resources

import pytest
from starlette.testclient import TestClient

from splatworks_streamer.web.static import StaticFile, StaticFiles


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"), [("br, gzip", "br", b"br"), ("identity", None, b"let viewer")]
)
def test_a_file_is_sent_in_the_best_encoding(
    client: TestClient, static: StaticFiles, accepted: str, encoding: str | None, content: bytes
) -> None:
    with client.stream(
        "GET", static.path("viewer/index.js"), headers={"Accept-Encoding": accepted}
    ) as response:
        raw = b"".join(response.iter_raw())

    assert response.headers.get("Content-Encoding") == encoding
    assert raw == content
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_file_may_be_kept_for_ever(client: TestClient, static: StaticFiles) -> None:
    response = client.get(static.path("site.css"))

    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_file_the_client_has_is_not_sent_again(client: TestClient, static: StaticFiles) -> None:
    path = static.path("site.css")
    tag = client.get(path).headers["ETag"]

    response = client.get(path, headers={"If-None-Match": tag})

    assert (response.status_code, response.content) == (304, b"")


def test_encodings_of_a_file_have_different_tags(client: TestClient, static: StaticFiles) -> None:
    path = static.path("viewer/index.js")

    tags = {
        client.head(path, headers={"Accept-Encoding": name}).headers["ETag"] for name in ("br", "identity")
    }

    assert len(tags) == 2


@pytest.mark.parametrize(
    "path", ["site.css.gz", "nothing.js", "", "../app.py", "%2e%2e/app.py", "..%2fapp.py"]
)
def test_nothing_else_is_served(client: TestClient, static: StaticFiles, path: str) -> None:
    assert client.get(f"/static/{static.digest}/{path}").status_code == 404


def test_an_old_release_is_not_mistaken_for_this_one(client: TestClient) -> None:
    assert client.get("/static/000000000000/site.css").status_code == 404


def test_other_contents_have_another_digest() -> None:
    one, other = (StaticFiles({"a.css": StaticFile("text/css", {"identity": text})}) for text in (b"1", b"2"))

    assert one.digest != other.digest


def test_the_package_holds_the_viewer_with_its_licence_compressed_at_build() -> None:
    package = resources.files("splatworks_streamer")
    if not package.joinpath("viewer", "index.js").is_file():
        pytest.skip("needs the viewer: pip install -e services/streamer")

    packaged = StaticFiles.packaged()

    assert packaged.path("viewer/LICENSE")
    script = package.joinpath("viewer", "index.js").read_bytes()
    assert gzip.decompress(package.joinpath("viewer", "index.js.gz").read_bytes()) == script
    assert package.joinpath("viewer", "index.js.br").is_file()
