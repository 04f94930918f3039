"""Small SavedModels written by hand, for tests that damage them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfspark.saved_model_pb2 import MetaGraphDef, SavedModel


def graph_with(assets: Sequence[str] = ()) -> MetaGraphDef:
    """A graph with the signature `inputs` (None, 2) → `outputs` (None, 1)."""
    graph = MetaGraphDef()
    graph.meta_info_def.tags.append("serve")
    graph.graph_def.node.add(name="x", op="Placeholder")
    graph.saver_def.SetInParent()
    signature = graph.signature_def["serving_default"]
    for infos, name, width in (
        (signature.inputs, "inputs", 2),
        (signature.outputs, "outputs", 1),
    ):
        infos[name].name, infos[name].dtype = f"{name[0]}:0", 1
        for size in (-1, width):
            infos[name].tensor_shape.dim.add(size=size)
    for asset in assets:
        graph.asset_file_def.add(filename=asset)
    return graph


def write_model(folder: Path, assets: Sequence[str] = ()) -> Path:
    """Write an export dir with all its files; the variables have no real values."""
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    model = SavedModel(meta_graphs=[graph_with(assets)])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(8))
    return folder
