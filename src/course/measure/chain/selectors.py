"""Label selectors, evaluated as Kubernetes does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether labels are selected; an empty selector selects all.

    Args:
        selector: with `matchLabels` and `matchExpressions`.
        labels: of an object.
    """
    selector = selector or {}
    rules = [{"key": k, "values": [v]} for k, v in (selector.get("matchLabels") or {}).items()]
    return all(_holds(rule, labels) for rule in [*rules, *(selector.get("matchExpressions") or [])])


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, among = labels.get(rule["key"]), labels.get(rule["key"]) in (rule.get("values") or [])
    holds = {"NotIn": not among, "Exists": value is not None, "DoesNotExist": value is None}
    return holds.get(rule.get("operator", "In"), among)
