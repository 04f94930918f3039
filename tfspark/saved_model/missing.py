"""Checks that the variables and assets of a model exist.

Raises an error that lists the missing files of an export dir. Driver only. Without the check,
TensorFlow's loaders crash or leave variables unset until a run, and they would read an asset with
the name `../../etc/passwd`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from tfspark.errors import InvalidModelError, explain, listing
from tfspark.saved_model.assets import assets_of
from tfspark.saved_model.files import MOST_ENTRIES, is_too_long
from tfspark.saved_model_pb2 import MetaGraphDef

_SHARD = re.compile(r"variables\.data-([0-9]{5})-of-([0-9]{5})")
# The most missing files that a message names.
_MOST_NAMES = 10
_VARIABLE_OPS = {"VarHandleOp", "VariableV2", "Variable"}


def check_complete(export_dir: Path, graph: MetaGraphDef) -> None:
    """Refuse a model with missing variables or assets.

    Raises:
        InvalidModelError: Names the missing files, or the assets that TensorFlow would read outside
            their folder.
    """
    assets = dict.fromkeys(asset.filename for asset in assets_of(graph))
    _check_names(export_dir, assets)
    missing = [f"assets/{name}" for name in assets if not (export_dir / "assets" / name).is_file()]
    # TensorFlow's Python restores a checkpoint even if the graph has no variables.
    has_checkpoint = graph.HasField("saver_def")
    if has_checkpoint or any(node.op in _VARIABLE_OPS for node in graph.graph_def.node):
        missing += _missing_variables(export_dir / "variables")
    if missing:
        count = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        more = f" and {len(missing) - _MOST_NAMES} more" if len(missing) > _MOST_NAMES else ""
        raise InvalidModelError(
            explain(
                f"The model at {export_dir} is incomplete: {count} missing.",
                expected=listing(missing[:_MOST_NAMES]) + more,
                hint="copy the whole export dir, with variables/ and assets/.",
            )
        )


def _check_names(export_dir: Path, assets: Collection[str]) -> None:
    """Refuse names that lead out of `assets/`; TensorFlow appends them to it without a check."""
    wrong = [name for name in assets if not _is_plain(name)]
    if wrong or len(assets) > MOST_ENTRIES:
        raise InvalidModelError(
            explain(
                f"The model at {export_dir} names an asset that is not in its folder assets/.",
                expected="names of files in assets/, without .. and control characters",
                found=listing(wrong[:_MOST_NAMES]) if wrong else f"{len(assets)} assets",
                hint="exporters of TensorFlow do not write such a model; do not run it.",
            )
        )


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    is_inside = path.parts and not path.is_absolute() and ".." not in path.parts
    is_text = not any(unicodedata.category(character) == "Cc" for character in name)
    return bool(is_inside and is_text and str(path) == name and not is_too_long(name))


def _missing_variables(folder: Path) -> list[str]:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if "variables" in names and "variables.index" not in names:
        return []  # a checkpoint of 2016 is one file
    missing = [] if "variables.index" in names else ["variables/variables.index"]
    shards = [(int(match[1]), int(match[2])) for name in names if (match := _SHARD.fullmatch(name))]
    # Shards of another checkpoint may be in the folder; the complete one has the fewest gaps.
    there = Counter(total for shard, total in shards if shard < total) or {1: 0}
    total = min(sorted(there), key=lambda total: total - there[total])
    wanted = (f"variables.data-{shard:05d}-of-{total:05d}" for shard in range(total))
    return missing + [f"variables/{name}" for name in wanted if name not in names]
