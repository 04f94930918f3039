"""Lists operations of the installed TensorFlow that no list contains: `python tools/operations.py`.

An operation belongs in `tfspark/operations/allowed.txt` when it only computes, otherwise in
`refused.txt` under what it touches. Read its kernel before you decide. Operations whose names begin
with `_` are internal; TensorFlow does not write them into a SavedModel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tfspark.operations.known import UNKNOWN, touches


def installed() -> Iterator[str]:
    """Yield the names of all public operations of the installed TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session

    buffer = pywrap_tf_session.TF_GetAllOpList()
    for op in OpList.FromString(pywrap_tf_session.TF_GetBuffer(buffer)).op:
        if not op.name.startswith("_"):
            yield op.name


def unlisted() -> list[str]:
    """Return the operations that are in neither list."""
    return sorted(name for name in installed() if touches(name) == UNKNOWN)


if __name__ == "__main__":
    print("\n".join(unlisted()))
