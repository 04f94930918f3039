"""`SavedModelTransformer`: a model as a stage of a Spark ML pipeline. Driver.

It scores like `predict`, on classic sessions and on Spark Connect. It has no JVM object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.ml import Transformer
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable, MLWriter
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from tfspark.errors import UsageError, explain
from tfspark.package import ModelPackage
from tfspark.spark.dataframe import score_frame, scored_schema
from tfspark.spark.functions import active_session
from tfspark.spark.ml.params import ParamKeywords, SavedModelParams
from tfspark.spark.ml.saving import SavedModelReader, SavedModelWriter
from tfspark.spark.model_loading import Model, model_of
from tfspark.spark.model_requests import ModelRequest
from tfspark.terms import ML

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SavedModelTransformer(
    Transformer,
    SavedModelParams,
    DefaultParamsReadable["SavedModelTransformer"],
    DefaultParamsWritable,
):
    """Scores each row of a DataFrame with a SavedModel, as a stage of a pipeline.

    Args:
        params: The model, and the options of `predict` in camelCase; `explainParams` lists them.

    Raises:
        UsageError: When a param does not exist or does not accept its value.

    Example:
        >>> SavedModelTransformer(  # doctest: +SKIP
        ...     model="models/linear_model", feed={"inputs": "features"}, fetch={"outputs": "y"}
        ... )
    """

    __module__ = "tfspark.ml"  # saved pipelines contain the name of the class

    def __init__(self, **params: Unpack[ParamKeywords]) -> None:
        super().__init__()
        self.setParams(**params)

    def transformSchema(self, schema: StructType) -> StructType:
        """Return the schema of a scored frame, without a job and without sending the model.

        Args:
            schema: The columns of a frame.

        Raises:
            TfsparkError: When the model or a param cannot be used, or the columns do not fit; as
                for `transform`.
        """
        spark = active_session(None)
        frame = spark.createDataFrame([], schema)
        request = self._request(self.package(spark))
        return scored_schema(frame, [request], keep=self._value("keep"), terms=ML)

    def package(self, spark: SparkSession) -> ModelPackage:
        """Load the description of the model.

        Raises:
            UsageError: When the param `model` is not set.
            TfsparkError: When the model does not exist, is broken, or has another digest.
        """
        return model_of(spark, self._path(), self.options)

    def write(self) -> MLWriter:
        """Return a writer, which copies the model unless `copyModel` is false."""
        return SavedModelWriter(self)

    @classmethod
    def read(cls) -> SavedModelReader:
        """Return a reader of saved stages."""
        return SavedModelReader(cls)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        request = self._request(self._path())
        keep = self._value("keep")
        return score_frame(dataset, [request], keep=keep, terms=ML, direct=True).frame

    def _path(self) -> str:
        path = self._value("model")
        if path is None:
            hint = 'set it: SavedModelTransformer(model="models/linear_model").'
            raise UsageError(explain("The param model is not set.", hint=hint))
        return str(path)

    def _request(self, model: Model) -> ModelRequest:
        feed, fetch = self._value("feed"), self._value("fetch")
        return ModelRequest("", model, feed, fetch, self.options)
