"""A SplatJob from what a person wrote: flags, ``--set`` and files, checked before the cluster is asked.

What a person did not say is left out, so that the cluster's defaults hold.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from splatworks_operator.cluster import job_json
from splatworks_operator.cluster.errors import WrongUsage
from splatworks_operator.cluster.splatjob import API_VERSION
from splatworks_operator.crd.definition import KIND
from splatworks_operator.crd.rules import MAX_NAME_LENGTH
from splatworks_operator.photos import scene_slug, slug
from splatworks_operator.spec import SplatJobSpec

ModelT = TypeVar("ModelT", bound=BaseModel)

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def manifest(name: str, namespace: str | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A SplatJob; without a namespace it goes wherever it is applied.

    Raises:
        WrongUsage: The name or the spec can not be used.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise WrongUsage(
            f"{name!r} is no name for a SplatJob: use at most {MAX_NAME_LENGTH} lower-case letters, digits "
            "and '-', beginning with a letter and not ending with '-'."
        )
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "spec": checked(spec),
    }


def job_name(scene: str) -> str:
    """A name that a SplatJob may have, from any scene's slug.

    Example:
        >>> job_name("2024-garden")
        'scene-2024-garden'
    """
    letter_first = scene if scene[0].isalpha() else f"scene-{scene}"
    return letter_first[:MAX_NAME_LENGTH].rstrip("-")


def name_of_photos(uri: str) -> str:
    """A name that a SplatJob may have, from where its photos are.

    Example:
        >>> name_of_photos("s3://splatworks/captures/fox.zip")
        'fox'
    """
    return job_name(scene_slug(Path(uri.removeprefix("s3:/").rstrip("/").removesuffix(".zip"))))


def parsed(model: type[ModelT], spec: Mapping[str, Any]) -> ModelT:
    """A part of a spec as a ``model`` of ``SplatJobSpec``'s fields.

    Raises:
        WrongUsage: A field is unknown, missing or has a value that can not be used; all of them are named.
    """
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        raise WrongUsage("\n".join(_complaint(dict(problem)) for problem in error.errors())) from error


def checked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as the cluster is to have it: names as they are called outside, nothing that was not said.

    Raises:
        WrongUsage: As ``parsed``.
    """
    return parsed(SplatJobSpec, spec).model_dump(mode="json", by_alias=True, exclude_unset=True)


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """What ``--set`` says, as a part of a spec.

    Example:
        >>> assignments(["train.maxSteps=3000", "publish.enabled=false"])
        {'train': {'maxSteps': 3000}, 'publish': {'enabled': False}}

    Raises:
        WrongUsage: A text is not PATH=VALUE.
    """
    spec: dict[str, Any] = {}
    for text in texts:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise WrongUsage(f"--set {text}: write it as PATH=VALUE, such as --set train.maxSteps=3000.")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise WrongUsage(f"--set {text}: {value!r} is no value: quote it as YAML does.") from error
        spec = merged(spec, nested(tuple(path.removeprefix("spec.").split(".")), parsed))
    return spec


def fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a spec from fields by path; those that are None were not said.

    Example:
        >>> fields({"train.maxSteps": 3000, "priority": None})
        {'train': {'maxSteps': 3000}}
    """
    spec: dict[str, Any] = {}
    for path, value in said.items():
        if value is not None:
            spec = merged(spec, nested(tuple(path.split(".")), value))
    return spec


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A part of a spec with one field.

    Example:
        >>> nested(("train", "maxSteps"), 3000)
        {'train': {'maxSteps': 3000}}
    """
    for name in reversed(path):
        value = {name: value}
    found: dict[str, Any] = value
    return found


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with what ``over`` says in its place, objects field by field."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[name] = merged(below, value)
        else:
            result[name] = value
    return result


def read(path: Path, text: str, *, over: Mapping[str, Any], namespace: str | None) -> list[dict[str, Any]]:
    """The SplatJobs of a file, with ``over`` laid over the spec of each.

    Args:
        path: What to call the file in complaints.
        text: Its content: YAML or JSON, one or several documents, SplatJobs or older jobs (``job_json``).
        over: A part of a spec.
        namespace: Where the jobs go; None leaves it to the file.

    Raises:
        WrongUsage: It is not YAML, holds something else, or a spec can not be used.
    """
    documents = _documents(path, text)
    if not documents:
        raise WrongUsage(f"There is no SplatJob in {path}.")
    return [_document(path, document, over, namespace) for document in documents]


def read_older_job(path: Path, text: str) -> dict[str, Any]:
    """What a file with one older job (``job_json``) says of the spec.

    Raises:
        WrongUsage: It is not YAML or JSON, holds something else, or says what can not be.
    """
    documents = _documents(path, text)
    if len(documents) != 1 or not job_json.is_older_job(documents[0]):
        raise WrongUsage(f"{path} is not a JSON object with the options of one older job.")
    return fields(job_json.read(path, documents[0]).fields)


def _documents(path: Path, text: str) -> list[Any]:
    try:
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise WrongUsage(f"{path} is not YAML: {error}") from error


def _document(path: Path, document: Any, over: Mapping[str, Any], namespace: str | None) -> dict[str, Any]:
    if job_json.is_older_job(document):
        older = job_json.read(path, document)
        spec = checked(merged(fields(older.fields), over))
        name = name_of_photos(spec["source"]["uri"]) if older.name is None else job_name(slug(older.name))
        return manifest(name, namespace, spec)
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (
        API_VERSION,
        KIND,
    ):
        raise WrongUsage(
            f"{path} holds something else than {API_VERSION} SplatJobs: 'kubectl apply -f {path}' takes it."
        )
    metadata = document.get("metadata") or {}
    if not metadata.get("name") and not metadata.get("generateName"):
        raise WrongUsage(f"A SplatJob in {path} has no metadata.name.")
    own = metadata.get("namespace")
    if namespace is not None and own not in (None, namespace):
        raise WrongUsage(
            f"{metadata.get('name')} in {path} belongs to namespace {own}, not {namespace}: change one."
        )
    if namespace is not None:
        metadata = {**metadata, "namespace": namespace}
    return {**document, "metadata": metadata, "spec": checked(merged(document.get("spec") or {}, over))}


def _complaint(problem: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    to_explain = ".".join(part for part in problem["loc"] if isinstance(part, str))
    if problem["type"] == "extra_forbidden":
        return (
            f"spec.{path} does not exist{_suggestion(problem['loc'])}; 'splatworks explain' lists the fields."
        )
    if problem["type"] == "missing":
        return f"spec.{path} is missing; see 'splatworks explain {to_explain}'."
    message = problem["msg"].removeprefix("Value error, ")
    return f"spec.{path} can not be {problem['input']!r}: {message}; see 'splatworks explain {to_explain}'."


def _suggestion(path: tuple[int | str, ...]) -> str:
    """The field that was probably meant."""
    model: Any = SplatJobSpec
    for part in path[:-1]:
        fields = {field.alias: field for field in model.model_fields.values()}
        model = getattr(fields.get(str(part)), "annotation", None)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return ""
    names = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(path[-1]), names, n=1)
    return f": did you mean {close[0]}?" if close else ""
