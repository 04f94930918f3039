"""The files that a model cannot do without: its variables and assets.

In comes an export dir with its graph, out comes nothing, or an error that lists what is missing.
Driver only: without the check, TensorFlow's loaders crash, or leave variables unset until a run.
"""

from __future__ import annotations

import re
from pathlib import Path

from tfspark.errors import InvalidModelError, explain, listing
from tfspark.saved_model.assets import assets_of
from tfspark.saved_model_pb2 import MetaGraphDef

_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
_VARIABLE_OPS = {"VarHandleOp", "VariableV2", "Variable"}


def check_complete(export_dir: Path, graph: MetaGraphDef) -> None:
    """Refuse a model whose variables or assets are not all there.

    Raises:
        InvalidModelError: With all names of files that are missing.
    """
    missing = [
        f"assets/{asset.filename}"
        for asset in assets_of(graph)
        if not (export_dir / "assets" / asset.filename).is_file()
    ]
    # TensorFlow's Python restores a checkpoint even where the graph has no variable to read.
    has_checkpoint = graph.HasField("saver_def")
    if has_checkpoint or any(node.op in _VARIABLE_OPS for node in graph.graph_def.node):
        missing += _missing_variables(export_dir / "variables")
    if missing:
        count = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        raise InvalidModelError(
            explain(
                f"The model at {export_dir} is incomplete: {count} missing.",
                expected=listing(missing),
                hint="copy the whole export dir, with variables/ and assets/.",
            )
        )


def _missing_variables(folder: Path) -> list[str]:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if "variables" in names and "variables.index" not in names:
        return []  # a checkpoint of 2016 is one file
    missing = [] if "variables.index" in names else ["variables/variables.index"]
    totals = {int(match.group(1)) for name in names if (match := _SHARD.fullmatch(name))}
    # Shards of another checkpoint may lie beside the whole one; the fewest gaps are its own.
    gaps = (_missing_shards(names, total) for total in sorted(totals) or [1])
    return missing + min(gaps, key=len)


def _missing_shards(names: set[str], total: int) -> list[str]:
    wanted = (f"variables.data-{shard:05d}-of-{total:05d}" for shard in range(total))
    return [f"variables/{name}" for name in wanted if name not in names]
