from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from splatworks_streamer.web.pages import readable_size
from tests.unit.streamer.memory_store import MemoryStore
from tests.unit.streamer.published_scene import put_scene

HOSTILE_TITLE = "\"><script>alert('x')</script>&"


def policy(client: TestClient, path: str) -> dict[str, str]:
    """The content security policy of a page by directive."""
    header = client.get(path).headers["Content-Security-Policy"]
    return dict(directive.split(" ", 1) for directive in header.split("; "))


def test_an_empty_list_says_how_to_make_a_scene(client: TestClient) -> None:
    page = client.get("/").text
    assert "No scenes yet" in page
    assert "splatworks run PHOTOS" in page
    assert "splatworks submit PHOTOS" in page


def test_the_list_shows_what_a_person_wants_to_know(client: TestClient, store: MemoryStore) -> None:
    put_scene(store, "fox", title="A fox in the snow")

    text = client.get("/").text

    assert 'href="/s/fox/"' in text
    for expected in ("A fox in the snow", "41,200", "5.1 kB", "29.4 dB"):
        assert expected in text


def test_a_scene_of_unknown_quality_shows_none(client: TestClient, store: MemoryStore) -> None:
    put_scene(store, "fox", psnr=None)

    assert "Quality" not in client.get("/").text


@pytest.mark.parametrize("antialiased", [False, True])
def test_a_page_tells_the_viewer_how_its_scene_is_drawn(
    client: TestClient, store: MemoryStore, antialiased: bool
) -> None:
    put_scene(store, "fox", antialiased=antialiased)

    assert ("data-antialiased" in client.get("/s/fox/").text) == antialiased


def test_a_long_list_continues_on_a_further_page(client: TestClient, store: MemoryStore) -> None:
    for number in range(50):
        put_scene(store, f"scene-{number:02}")

    first = client.get("/").text
    link = re.search(r'href="(/\?after=[a-z0-9-]+)"', first)

    assert link is not None
    assert first.count('class="card"') == 48
    assert client.get(link[1]).text.count('class="card"') == 2


def test_a_scene_that_can_not_be_served_is_left_out_of_the_list(
    client: TestClient, store: MemoryStore
) -> None:
    broken = put_scene(store, "broken")
    put_scene(store, "fox")
    store.delete_prefix(broken.published_uri)

    assert client.get("/").text.count('class="card"') == 1


def test_a_page_that_is_none_is_not_found(client: TestClient) -> None:
    assert client.get("/?after=..").status_code == 404


@pytest.mark.parametrize("path", ["/", "/s/fox/"])
def test_a_title_can_not_become_markup(client: TestClient, store: MemoryStore, path: str) -> None:
    put_scene(store, "fox", title=HOSTILE_TITLE)

    text = client.get(path).text

    assert "alert(" in text
    assert "<script>alert" not in text


def test_every_address_in_the_scene_page_is_served(client: TestClient, store: MemoryStore) -> None:
    put_scene(store)

    addresses = re.findall(r'(?:href|src|data-\w+)="(/[^"]+)"', client.get("/s/fox/").text)

    assert len(addresses) >= 7
    assert all(client.get(address).status_code == 200 for address in addresses)


def test_the_query_of_a_scene_page_changes_nothing(client: TestClient, store: MemoryStore) -> None:
    put_scene(store)

    asked = client.get("/s/fox/?content=https://example.org/x.ply&settings=/x.json&poster=/x.png")

    assert asked.text == client.get("/s/fox/").text


@pytest.mark.parametrize("path", ["/", "/s/fox/"])
def test_pages_have_nothing_inline(client: TestClient, store: MemoryStore, path: str) -> None:
    put_scene(store)

    text = client.get(path).text

    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\s(?:style|on\w+)=", text)


def test_a_scene_page_without_its_slash_is_elsewhere(client: TestClient, store: MemoryStore) -> None:
    put_scene(store)

    response = client.get("/s/fox?webgl")

    assert (response.status_code, response.headers["Location"]) == (308, "/s/fox/?webgl")


def test_the_list_runs_no_script(client: TestClient) -> None:
    assert policy(client, "/") == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_the_viewer_gets_only_what_it_needs(client: TestClient, store: MemoryStore) -> None:
    put_scene(store)

    directives = policy(client, "/s/fox/")

    assert re.fullmatch(r"'self' 'unsafe-hashes' 'sha256-[A-Za-z0-9+/]{43}='", directives.pop("script-src"))
    assert directives == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("path", ["/", "/s/fox/", "/s/fox/scene.sog", "/nothing", "/healthz"])
def test_every_answer_carries_the_security_headers(client: TestClient, store: MemoryStore, path: str) -> None:
    put_scene(store)

    headers = client.get(path).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5 * 10**12, "5000.0 GB"),
    ],
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert readable_size(count) == text
