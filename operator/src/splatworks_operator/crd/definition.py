"""The whole CustomResourceDefinition of SplatJob: names, columns, and the schemas of spec and status."""

from __future__ import annotations

from typing import Any

from splatworks_operator.crd import rules, status_schema
from splatworks_operator.crd.schema import Schema, structural, told
from splatworks_operator.spec import SplatJobSpec

GROUP = "splatworks.dev"
VERSION = "v1alpha1"
KIND = "SplatJob"
PLURAL = "splatjobs"

_WIDE = 1
"""The priority of columns that only ``kubectl get -o wide`` shows."""


def definition() -> dict[str, Any]:
    """The definition, as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["splat"],
                "categories": ["splatworks", "all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": ".status.phase"}],
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def schema() -> Schema:
    """The schema of a SplatJob."""
    return {
        "description": "Photos in, a 3D Gaussian-splat scene out: one run of the pipeline.",
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [rule.as_schema() for rule in rules.NAME],
        "properties": {
            "apiVersion": {
                "description": f"The version of this schema: {GROUP}/{VERSION}.",
                "type": "string",
            },
            "kind": {"description": f"The kind of the resource: {KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": told(spec_schema()),
            "status": status_schema.status(),
        },
    }


def spec_schema() -> Schema:
    """The schema of a SplatJob's spec, its defaults and limits not yet part of the descriptions."""
    spec = structural(SplatJobSpec, rules.of_spec())
    spec["description"] = (
        "What the job is asked to do. Fields that may be changed while the job lives say so; all others stay "
        "as they were when it was created."
    )
    for name in rules.mutable_fields():
        spec["properties"][name]["description"] += " May be changed while the job lives."
    return spec


def _columns() -> list[dict[str, Any]]:
    return [
        _column("Phase", "string", ".status.phase", "Where the job stands."),
        _column("Stage", "string", ".status.currentStage", "The stage that runs or comes next."),
        _column("Progress", "integer", ".status.progressPercent", "Percent of the whole job that is done."),
        _column("Age", "date", ".metadata.creationTimestamp", "When the job was created."),
        _column("Images", "integer", ".status.result.registeredImages", "Photos in the model.", _WIDE),
        _column("PSNR", "string", ".status.result.psnr", "Quality on held-out photos, in dB.", _WIDE),
        _column("Ratio", "string", ".status.result.compressionRatio", "How many times smaller.", _WIDE),
        _column(
            "Reason", "string", '.status.conditions[?(@.type=="Failed")].reason', "Why the job failed.", _WIDE
        ),
    ]


def _column(name: str, type: str, path: str, description: str, priority: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "type": type,
        "jsonPath": path,
        "description": description,
        **({"priority": priority} if priority else {}),
    }
