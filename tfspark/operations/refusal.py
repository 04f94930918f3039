"""Refuses a model with operations that do more than compute. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from tfspark.errors import ForbiddenOperationError, explain_all
from tfspark.operations.lint import Finding

# The most findings that a message lists; the others are only counted.
_MOST_LISTED = 10


def refuse_findings(findings: Sequence[Finding], place: str) -> None:
    """Refuse a model with findings.

    Args:
        findings: The operations that are not allowed.
        place: The export dir, as the user knows it.

    Raises:
        ForbiddenOperationError: Lists the first ten findings and counts the others.
    """
    if not findings:
        return
    listed = [str(finding) for finding in findings[:_MOST_LISTED]]
    if len(findings) > _MOST_LISTED:
        listed.append(f"… and {len(findings) - _MOST_LISTED} more")
    names = sorted({finding.op for finding in findings})[:_MOST_LISTED]
    raise ForbiddenOperationError(
        explain_all(
            f"The model at {place} may do more than compute",
            listed,
            hint=f"if you trust the model, allow these operations with allow_ops={names} "
            f"(--allow-ops {','.join(names)}); tfspark.lint(model) lists all of them.",
        )
    )
