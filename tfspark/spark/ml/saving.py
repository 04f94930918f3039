"""Saves and loads a stage: its Params as JSON, and a copy of the model beside them. Driver.

`<path>/metadata` has the Params, in Spark's own format, and the digest of the model as `sha256`. A
copied model is in `<path>/model/<name>`; `tfspark.load` opens it too. Without a copy, the Params
have the path of the model. In both cases a model with another digest is refused later.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter
from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain, listing
from tfspark.foreign_text import one_line
from tfspark.mlflow_models import is_mlflow_uri
from tfspark.package import ModelPackage
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.session_kind import is_classic

if TYPE_CHECKING:
    from tfspark.spark.ml.transformer import SavedModelTransformer

_log = logging.getLogger(__name__)

_FOLDER = "model"


class SavedModelWriter(DefaultParamsWriter):
    """Writes a stage. `overwrite` removes the old stage first, and its copy of the model too."""

    def __init__(self, instance: SavedModelTransformer) -> None:
        super().__init__(instance)
        self._stage = instance

    def save(self, path: str) -> None:
        """Write the stage to a path or URI.

        Raises:
            UsageError: When an overwrite would delete the model before it is copied.
            TfsparkError: When the model does not exist, is broken, or has another digest.
        """
        model = self._stage._path()
        if self.shouldOverwrite and _is_inside(model, path):
            problem = f"Overwriting {path} would delete the model of this stage."
            hint = "save the stage to another path."
            raise UsageError(explain(problem, found=model, hint=hint))
        super().save(path)

    def saveImpl(self, path: str) -> None:
        """Write the Params, then the copy of the model; Spark calls this."""
        spark, stage = self.sparkSession, self._stage
        package = stage.package(spark)
        is_copied = bool(stage.getOrDefault("copyModel"))
        model = f"{_FOLDER}/{package.name}" if is_copied else _absolute(spark, stage._path())
        self.instance = stage.copy().setParams(model=model, sha256=package.digest)
        super().saveImpl(path)
        if is_copied:
            _copy(spark, package, path, model)

    def _handleOverwrite(self, path: str) -> None:
        if is_classic(self.sparkSession):
            super()._handleOverwrite(path)
            return
        from pyspark.ml.connect.readwrite import RemoteMLWriter

        RemoteMLWriter.handleOverwrite(path, True)


class SavedModelReader(DefaultParamsReader["SavedModelTransformer"]):
    """Reads a stage, and finds its copy of the model.

    A stage from another person must not choose what its model may do, so `allowOps` is not read.
    """

    def load(self, path: str) -> SavedModelTransformer:
        """Read the stage from a path or URI; set its `allowOps` again if the model needs them."""
        stage = super().load(path)
        allowed = stage.getOrDefault("allowOps")
        if allowed:
            _log.warning(
                "The saved stage %s allows operations that do more than compute: %s. They are not "
                "allowed after loading; if you trust the model, call setAllowOps on the stage.",
                one_line(path),
                listing(map(str, allowed)),
            )
        stage.setParams(allowOps=[])
        if stage.getOrDefault("copyModel"):
            model = f"{path.rstrip('/')}/{stage._path()}"
            stage.setParams(model=_absolute(self.sparkSession, model))
        return stage


def _copy(spark: SparkSession, package: ModelPackage, path: str, name: str) -> None:
    """Copy the export dir of a model below the path of a stage."""
    target = f"{path.rstrip('/')}/{name}"
    if package.version is not None:
        target += f"/{package.version}"
    if is_classic(spark):
        HadoopFiles(spark, target).copy_from_local(Path(package.path), target)
        return
    local = local_path(path)
    if local is None or not (local / "metadata").is_dir():
        raise UsageError(
            explain(
                "On Spark Connect, the model cannot be copied beside the stage.",
                expected="a path that this process and the server both see",
                found=path,
                hint="set copyModel=False to save the path and the digest of the model.",
            )
        )
    shutil.copytree(Path(package.path), local_path(target) or Path(target))


def _absolute(spark: SparkSession, model: str) -> str:
    """Return a path that means the same in another working directory; a URI is returned as is."""
    local = local_path(model)
    if local is None or is_mlflow_uri(model):
        return model
    if local.exists() or not is_classic(spark):
        return str(local.absolute())
    return HadoopFiles(spark, model).qualified(model)


def _is_inside(model: str, path: str) -> bool:
    """Whether a model is below a path, judged by the names alone."""
    inner, outer = local_path(model), local_path(path)
    if inner is None or outer is None:
        return model.startswith(f"{path.rstrip('/')}/")
    return inner.resolve().is_relative_to(outer.resolve())
