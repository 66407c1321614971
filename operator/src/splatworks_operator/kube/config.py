"""The operator's configuration: the YAML file that ``--config`` names, checked before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from splatworks_common.addresses import Address
from splatworks_operator.requests import CALLS

SERVICES = tuple(call.service for call in CALLS.values())
"""The services that a configuration names, in the order of their stages."""


class ConfigError(Exception):
    """The configuration can not be used; the message names the file, the key and what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True
    )


class TlsFiles(_Section):
    """The operator's certificate and the authority of the workers', as PEM files that may be replaced."""

    ca: Path
    cert: Path
    key: Path


class WorkersConfig(_Section):
    """Where the workers are and how they are spoken to.

    Attributes:
        namespace: Where the workers' Services live.
        port: The gRPC port of every worker.
        services: The headless Service of each service.
        tls: None speaks plaintext, which never leaves this machine.
        token_file: A bearer token to send along; needs ``tls``.
        addresses: Workers by service that are found here and not through EndpointSlices.
    """

    namespace: str = "splatworks"
    port: int = Field(default=50051, ge=1, le=65535)
    services: dict[str, str] = {service: f"splatworks-{service}" for service in SERVICES}
    tls: TlsFiles | None = None
    token_file: Path | None = None
    addresses: dict[str, tuple[str, ...]] = {}

    @field_validator("services", "addresses")
    @classmethod
    def _known_services(cls, given: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(given) - set(SERVICES))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no service; there are {', '.join(SERVICES)}")
        return given

    @model_validator(mode="after")
    def _every_service_is_somewhere(self) -> WorkersConfig:
        missing = sorted(set(SERVICES) - set(self.services) | set(SERVICES) - set(self.addresses or SERVICES))
        if missing:
            raise ValueError(f"{missing[0]!r} is missing; every service needs workers")
        for address in (address for found in self.addresses.values() for address in found):
            Address.parse(address)
        if self.token_file is not None and self.tls is None:
            raise ValueError("tokenFile needs tls: a token is sent over TLS only")
        return self


class BucketRule(_Section):
    """Which buckets the jobs of some namespaces may use.

    Attributes:
        namespaces: Patterns of namespaces that the rule is for.
        source, output: Patterns of buckets to read photos from and to write results to. A pattern with a
            slash is compared with ``bucket/key`` and so allows a part of a bucket.
    """

    namespaces: tuple[str, ...] = Field(min_length=1)
    source: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class ListenConfig(_Section):
    """Where an HTTP endpoint of the operator listens."""

    listen: str

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        Address.parse(given)
        return given


class LeaseConfig(_Section):
    """The Lease that lets only one replica act."""

    namespace: str = "splatworks"
    name: str = "splatworks-operator"


class OperatorConfig(_Section):
    """Everything that the operator is told.

    Attributes:
        namespaces: The namespaces whose jobs are run; empty for all.
        workers: Where the workers are.
        buckets: The first rule whose namespaces match a job's decides; without one the job is refused.
        source_secrets: Names of Secrets that ``spec.source.secretRef`` may name.
        viewer_base_url: What scenes' paths are added to, like https://splats.example.com; may be empty.
        health: Where ``/healthz`` and ``/readyz`` are.
        metrics: Where ``/metrics`` is.
        lease: The Lease that lets only one replica act.
        poll_seconds: How often a running stage is looked at.
    """

    namespaces: tuple[str, ...] = ()
    workers: WorkersConfig = WorkersConfig()
    buckets: tuple[BucketRule, ...] = ()
    source_secrets: tuple[str, ...] = ()
    viewer_base_url: str = Field(default="", alias="viewerBaseURL", pattern=r"^(https?://\S+)?$")
    health: ListenConfig = ListenConfig(listen="0.0.0.0:8080")
    metrics: ListenConfig = ListenConfig(listen="0.0.0.0:9090")
    lease: LeaseConfig = LeaseConfig()
    poll_seconds: float = Field(default=2.0, gt=0, le=60)


def load(path: Path) -> OperatorConfig:
    """Reads the file.

    Raises:
        ConfigError: It can not be read or used.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} can not be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    return parse({} if document is None else document, str(path))


def parse(document: object, where: str) -> OperatorConfig:
    """Checks what a file holds.

    Raises:
        ConfigError: It can not be used; ``where`` tells people which file is meant.
    """
    try:
        # As JSON, since only there may a strict model take a list for a tuple and a string for a path.
        return OperatorConfig.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        raise ConfigError(f"{where} can not be used: {'; '.join(map(_complaint, error.errors()))}") from error


def _complaint(error: Any) -> str:
    key = ".".join(map(str, error["loc"])) or "the file"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
