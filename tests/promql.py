"""Which metrics and labels a PromQL expression needs, checked against those that exist.

``output_labels`` walks an expression from its selectors outwards and knows at each step which labels the
result can carry; what names a metric, a label or a label's value that nothing ever has is a ``Drift``.
Dashboards that ask for it show "No data" and alerts never fire, without a word from Prometheus.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

_LABEL_FREE_CALLS = frozenset({"scalar", "vector", "time"})
_SET_OPERATIONS = frozenset({"and", "unless"})
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class Drift(AssertionError):
    """An expression names a metric, label or value that does not exist."""


@dataclass(frozen=True)
class Catalogue:
    """What exists.

    Attributes:
        labels: The labels of each metric by the metric's name, those of the scrape included.
        values: For labels with a closed set of values, that set.
    """

    labels: Mapping[str, frozenset[str]]
    values: Mapping[str, Collection[str]] = field(default_factory=dict)

    def with_metric(self, name: str, labels: frozenset[str]) -> Catalogue:
        """The same and one metric more, such as a recording rule's."""
        return Catalogue({**self.labels, name: labels}, self.values)


def output_labels(expression: str, catalogue: Catalogue) -> frozenset[str]:
    """The labels that the result of an expression can have.

    Raises:
        Drift: The expression names what is not in the catalogue.
    """
    return _labels(promql.parse(expression), catalogue)


def selectors(expression: str) -> list[promql.VectorSelector]:
    """The selectors of an expression, those with a range included."""
    found: list[promql.VectorSelector] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(promql.parse(expression), visit)
    return found


def measured(expression: str) -> list[str]:
    """The largest parts of an expression that no threshold and no absence of others can empty.

    An alert's own result is empty while all is well; what it compares must be there nevertheless.

    Example:
        >>> measured("time() - last_event > 900 and on (release) sum by (release) (jobs) > 0")
        ['time() - last_event', 'sum by (release) (jobs)']
    """
    return [str(part) for part in _measured(promql.parse(expression)) if selectors(str(part))]


def _measured(node: Any) -> list[Any]:
    return [part for child in _children(node) for part in _measured(child)] if _can_empty(node) else [node]


def _can_empty(node: Any) -> bool:
    """Whether a result may lack what the selectors in it have."""
    if isinstance(node, promql.BinaryExpr):
        operation = str(node.op)
        keeps_all = node.modifier is not None and node.modifier.return_bool
        if operation in {*_SET_OPERATIONS, "or"} or (operation in _COMPARISONS and not keeps_all):
            return True
    elif isinstance(node, promql.Call) and node.func.name == "absent":
        return True
    return any(_can_empty(child) for child in _children(node))


def _children(node: Any) -> list[Any]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
    return []


def _labels(node: Any, catalogue: Catalogue) -> frozenset[str]:
    match node:
        case promql.VectorSelector():
            return _selector(node, catalogue)
        case promql.MatrixSelector():
            return _selector(node.vector_selector, catalogue)
        case promql.AggregateExpr():
            return _aggregate(node, catalogue)
        case promql.BinaryExpr():
            return _binary(node, catalogue)
        case promql.Call():
            return _call(node, catalogue)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(node.expr, catalogue)
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
    raise NotImplementedError(f"{type(node).__name__} is not known here")


def _selector(selector: promql.VectorSelector, catalogue: Catalogue) -> frozenset[str]:
    if selector.name is None or selector.name not in catalogue.labels:
        raise Drift(f"there is no metric {selector.name}")
    labels = catalogue.labels[selector.name]
    for matcher in selector.matchers.matchers:
        _require({matcher.name}, labels, f"a matcher of {selector.name}")
        if matcher.name in catalogue.values and "$" not in matcher.value:
            is_pattern = matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe)
            for value in matcher.value.split("|") if is_pattern else [matcher.value]:
                if value not in catalogue.values[matcher.name]:
                    raise Drift(f"{matcher.name} of {selector.name} is never {value!r}")
    return labels


def _aggregate(node: promql.AggregateExpr, catalogue: Catalogue) -> frozenset[str]:
    inner = _labels(node.expr, catalogue)
    if node.modifier is None:
        return frozenset()
    named = frozenset(node.modifier.labels)
    _require(named, inner, "an aggregation")
    return named if node.modifier.type == promql.AggModifierType.By else inner - named


def _binary(node: promql.BinaryExpr, catalogue: Catalogue) -> frozenset[str]:
    left, right = _labels(node.lhs, catalogue), _labels(node.rhs, catalogue)
    operation = str(node.op)
    if node.modifier is not None and node.modifier.matching is not None:
        named = frozenset(node.modifier.matching.labels)
        _require(named, left & right, f"the matching of {operation!r}")
    if operation == "or":
        return left & right
    if operation in _SET_OPERATIONS:
        return left
    return (left or right) | frozenset((node.modifier and node.modifier.group_labels) or ())


def _call(node: promql.Call, catalogue: Catalogue) -> frozenset[str]:
    arguments = [_labels(argument, catalogue) for argument in node.args]
    if node.func.name in _LABEL_FREE_CALLS:
        return frozenset()
    if node.func.name == "absent":  # its result has what the matchers say
        return frozenset(matcher.name for matcher in node.args[0].matchers.matchers)
    labels = frozenset[str]().union(*arguments)
    if node.func.name == "histogram_quantile":
        _require({"le"}, labels, "histogram_quantile")
        return labels - {"le"}
    return labels


def _require(named: Collection[str], labels: frozenset[str], where: str) -> None:
    unknown = sorted(set(named) - labels)
    if unknown:
        raise Drift(f"{where} names {', '.join(unknown)}; there is {', '.join(sorted(labels)) or 'no label'}")
