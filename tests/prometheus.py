"""A Prometheus of a test's own, on a port of its own, and its HTTP API.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.loopback import free_port, get

SCRAPE_SECONDS = 2
"""How often targets are scraped and rules evaluated."""

Series = dict[str, Any]
"""Labels (``metric``) and one ``value`` or several ``values``, each a time and a number as text."""


def binary() -> str | None:
    """The program, where there is one."""
    return shutil.which("prometheus")


class Prometheus:
    """One process.

    Args:
        program: The binary.
        folder: Where its files are; it does not exist yet.
        scrape_configs: What it scrapes, as its configuration has it.
        rules: What it evaluates, as a rule file has it.
    """

    def __init__(
        self, program: str, folder: Path, scrape_configs: list[dict[str, Any]], rules: Mapping[str, Any]
    ) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        every = f"{SCRAPE_SECONDS}s"
        settings = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yaml"],
            "scrape_configs": scrape_configs,
        }
        (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        self._address = f"127.0.0.1:{free_port()}"
        self._command = [
            program,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]

    def __enter__(self) -> Prometheus:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self._folder / "log").read_text()

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        return get(f"http://{self._address}/-/ready")[0] == 200

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health and, where they alert, their state."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def complaint(self) -> str:
        """Which targets it does not scrape, and why; "" where it scrapes all."""
        targets = self._ask("targets")["activeTargets"]
        return "\n".join(
            f"{one['scrapeUrl']}: {one['lastError']}" for one in targets if one["health"] != "up"
        )

    def scrapes(self) -> int:
        """How often the target that was scraped least was scraped with success."""
        counts = self.query("sum_over_time(up[1h])", time.time())
        targets = self._ask("targets")["activeTargets"]
        return int(min(numbers(counts), default=0)) if len(counts) == len(targets) else 0

    def query(self, expression: str, at: float) -> list[Series]:
        """What an expression gives at one time."""
        return self._series("query", query=expression, time=at)

    def query_range(self, expression: str, end: float, seconds: float) -> list[Series]:
        """What it gives for each scrape of some seconds before ``end``."""
        return self._series(
            "query_range", query=expression, start=end - seconds, end=end, step=SCRAPE_SECONDS
        )

    def label_values(self, selector: str, label: str, end: float, seconds: float) -> list[str]:
        """The values that a label had in some seconds before ``end``."""
        asked = {"match[]": selector, "start": end - seconds, "end": end}
        return list(self._ask(f"label/{label}/values", **asked))

    def _series(self, method: str, **asked: Any) -> list[Series]:
        answer = self._ask(method, **asked)
        assert answer["resultType"] in ("vector", "matrix"), (
            f"{asked['query']} gives a {answer['resultType']}"
        )
        return list(answer["result"])

    def _ask(self, method: str, **asked: Any) -> Any:
        status, text = get(f"http://{self._address}/api/v1/{method}?{urlencode(asked)}")
        assert status == 200, f"Prometheus answers {status} to {method} {asked}: {text}"
        answer = json.loads(text)
        assert "warnings" not in answer, f"{asked}: {answer['warnings']}"
        return answer["data"]


def numbers(result: list[Series]) -> list[float]:
    """All numbers of a result that can be shown."""
    values = [value for series in result for value in series.get("values", [series.get("value")])]
    return [number for _, text in values if math.isfinite(number := float(text))]
