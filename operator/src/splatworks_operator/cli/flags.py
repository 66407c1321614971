"""Flags of several commands, named as kubectl names them, and those that stand for fields of a SplatJob."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from splatworks_operator.cluster.output import Form
from splatworks_operator.spec import SplatJobSpec

Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="The kubeconfig file.  [default: KUBECONFIG, ~/.kube/config]"),
]
Context = Annotated[str | None, typer.Option("--context", help="A context of the kubeconfig.")]
Namespace = Annotated[
    str | None, typer.Option("-n", "--namespace", help="The namespace.  [default: the context's]")
]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="Look in all namespaces.")]
Selector = Annotated[str, typer.Option("-l", "--selector", help="Only jobs with these labels (key=value,…).")]
Output = Annotated[Form, typer.Option("-o", "--output", help="How to show it.")]
Name = Annotated[str, typer.Argument(help="The SplatJob's name.")]
Names = Annotated[list[str], typer.Argument(help="Names of SplatJobs.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store-url",
        help="Where the object store answers this machine, such as a port that kubectl port-forward opened.  "
        "[default: SPLATWORKS_STORE_URL]",
    ),
]
StoreSecret = Annotated[
    str | None,
    typer.Option(
        "--store-secret",
        metavar="[NAMESPACE/]NAME",
        help="The Secret with the store's access-key and secret-key, and its ca.crt where it has one.  "
        "[default: SPLATWORKS_STORE_ACCESS_KEY and _SECRET_KEY]",
    ),
]
StoreBucket = Annotated[
    str | None,
    typer.Option("--store-bucket", help="The bucket.  [default: SPLATWORKS_STORE_BUCKET, splatworks]"),
]


def spec_flag(flag: str, path: str, **more: Any) -> Any:
    """An option for a field of the spec, described as the field is.

    Args:
        flag: Its name on the command line.
        path: The field ("train.maxSteps").
        more: What else ``typer.Option`` takes.
    """
    model: Any = SplatJobSpec
    *above, last = path.split(".")
    for name in above:
        model = _fields(model)[name].annotation
    return typer.Option(flag, help=_fields(model)[last].description, **{"show_default": False, **more})


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """A length of time as kubectl takes it, in seconds.

    Example:
        >>> duration("1h30m")
        5400.0

    Raises:
        BadParameter: It is none.
    """
    parts = re.findall(r"(\d+)([smh]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is no length of time: write it like 90s, 30m or 1h30m.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
