"""What the platform allows a namespace to ask for: pure, and decided before anything is started for a job."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from splatworks_common.artifacts.uri import S3Uri
from splatworks_common.reasons import InputInvalid
from splatworks_operator.kube.config import BucketRule, OperatorConfig
from splatworks_operator.spec import SplatJobSpec

_OWN_FOLDERS = ("cache", "scenes")
"""Folders in which Splatworks keeps what belongs to no job."""


def refusal(config: OperatorConfig, namespace: str, spec: SplatJobSpec, default_output: S3Uri) -> str:
    """Why a job may not run, as a sentence for the person who made it; "" where it may.

    Args:
        config: The platform's rules.
        namespace: Where the job lives.
        spec: What it asks for.
        default_output: Where a job without ``spec.output.uri`` writes.
    """
    rule = _rule(config.buckets, namespace)
    if rule is None:
        return f"The platform allows no bucket to namespace {namespace}; ask its operators for a bucket rule."
    try:
        source = S3Uri.parse(spec.source.uri)
        output = default_output if spec.output.uri is None else S3Uri.parse(spec.output.uri)
    except InputInvalid as error:
        return f"An address can not be used: {error}."
    if not _matches(rule.source, source):
        return f"spec.source.uri: namespace {namespace} may not read from {source}."
    if not _matches(rule.output, output):
        return f"spec.output.uri: namespace {namespace} may not write to {output}."
    if output.bucket == default_output.bucket and output.key.partition("/")[0] in _OWN_FOLDERS:
        return f"spec.output.uri: {output} is a folder of the platform's own; choose another."
    secret = spec.source.secret_ref
    if secret is not None and secret.name not in config.source_secrets:
        return f"spec.source.secretRef: the platform does not allow a Secret named {secret.name}."
    return ""


def _rule(rules: Iterable[BucketRule], namespace: str) -> BucketRule | None:
    return next(
        (rule for rule in rules if any(fnmatchcase(namespace, pattern) for pattern in rule.namespaces)), None
    )


def _matches(patterns: Iterable[str], uri: S3Uri) -> bool:
    return any(
        fnmatchcase(f"{uri.bucket}/{uri.key}" if "/" in pattern else uri.bucket, pattern)
        for pattern in patterns
    )
