"""The digest that a caller expects a model to have. Driver."""

from __future__ import annotations

import re

from tfspark.errors import InvalidModelError, UsageError, explain

_SHA256 = re.compile("[0-9a-fA-F]{64}")


def check_pin(path: str, found: str, sha256: str) -> None:
    """Refuse a model whose digest is not the pinned one.

    Args:
        path: The export dir, for the message.
        found: The digest of its files.
        sha256: The pinned digest, 64 hexadecimal digits.

    Raises:
        UsageError: When `sha256` is not a digest.
        InvalidModelError: When the model has another digest.
    """
    if not _SHA256.fullmatch(str(sha256)):
        raise UsageError(
            explain(
                "sha256 (--model-sha256) is not the digest of a model.",
                expected="64 hexadecimal digits, such as load(path).digest",
                found=repr(sha256),
            )
        )
    if found != sha256.lower():
        raise InvalidModelError(
            explain(
                f"The model at {path} is not the one that was asked for.",
                expected=f"digest {sha256.lower()}",
                found=f"digest {found}",
                hint="the files have changed, or the path is of another model or version; nothing "
                "was loaded.",
            )
        )
