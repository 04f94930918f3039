"""The usual mistakes in Python: those that all functions share, and those of each function."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as sf

from tests.messages.mistake import World, mistake
from tfspark import predict, predict_rdd, predict_udf, register
from tfspark.errors import BindingError, EngineError, RowError, UsageError


def live_keras_model() -> Any:
    """Return a model that was never exported."""
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


# Made by each function: `call(model, **options)`.
EVERYWHERE = (
    mistake(
        "a relative path that is not there",
        lambda call: call("liner_model"),
        "There is no model folder",
        "liner_model",
        "'linear_model'",
        "working directory",
    ),
    mistake(
        "the file in place of its folder",
        lambda call: call("linear_model/1/saved_model.pb"),
        "There is no model folder",
        "the graph of a SavedModel",
        "give the export dir",
    ),
    mistake(
        "a folder without a model",
        lambda call: call("empty"),
        "There is no SavedModel in",
        "version folders named 1, 2",
        "give the folder of one exported model",
    ),
    mistake(
        "a live Keras model",
        lambda call: call(live_keras_model()),
        "A model is given by its path",
        "a live Keras model",
        "model.export('",
    ),
    mistake("a .keras file", lambda call: call("model.keras"), "Keras's own format", ".export('"),
    mistake("an .h5 file", lambda call: call("model.h5"), "a Keras model in HDF5", ".export('"),
    mistake(
        "a .tflite file",
        lambda call: call("model.tflite"),
        "a TensorFlow Lite model",
        "give the SavedModel that it was converted from",
    ),
    mistake(
        "a folder of MLflow",
        lambda call: call("mlflow"),
        "a model of MLflow with a SavedModel further down",
        "mlflow/data/model.",
    ),
    mistake(
        "a folder of MLflow with a Keras model",
        lambda call: call("mlflow_keras"),
        "a model of MLflow without a SavedModel",
        ".export('",
    ),
    mistake(
        "an MLflow URI",
        lambda call: call("models:/risk@champion"),
        "models:/risk@champion is a model in MLflow's registry",
        "mlflow.artifacts.download_artifacts('models:/risk@champion')",
    ),
    mistake("a web address", lambda call: call("https://example.org/m"), "https://", "download"),
    mistake(
        "a version that is not there",
        lambda call: call("linear_model", version=9),
        "There is no version 9",
        "one of the versions 1",
        "leave the version out",
    ),
    mistake(
        "a newest version that is not whole",
        lambda call: call("newest"),
        "newest/2 holds no saved_model.pb",
        "export it again",
    ),
    mistake(
        "a model file that is cut off",
        lambda call: call("truncated"),
        "is not a whole SavedModel",
        "bytes",
        "export it again",
    ),
    mistake(
        "a copy without variables",
        lambda call: call("bare"),
        "is incomplete",
        "variables/variables.index",
        "copy the whole export dir",
    ),
    mistake(
        "another signature",
        lambda call: call("linear_model", signature="serving_defalt"),
        "has no signature 'serving_defalt'",
        "Did you mean 'serving_default'?",
    ),
    mistake(
        "another tag set",
        lambda call: call("linear_model", tags="gpu"),
        "no graph with the tag set 'gpu'",
        "'serve'",
        "tags=",
    ),
    mistake(
        "an option that does not exist",
        lambda call: call("linear_model", batchsize=64),
        "There is no option 'batchsize'",
        "Did you mean 'batch_size'?",
        error=UsageError,
    ),
    mistake(
        "a batch of no rows",
        lambda call: call("linear_model", batch_size=0),
        "The batch size must be at least 1",
        "batch_size ≥ 1",
        "found:    0",
        error=UsageError,
    ),
    mistake(
        "a mistyped engine",
        lambda call: call("linear_model", engine="nativ"),
        "engine does not accept 'nativ'",
        "Did you mean 'native'?",
        error=UsageError,
    ),
    mistake(
        "a mistyped way of distribution",
        lambda call: call("linear_model", distribute="brodcast"),
        "distribute does not accept 'brodcast'",
        "Did you mean 'broadcast'?",
        error=UsageError,
    ),
    mistake(
        "a mistyped rule of nulls",
        lambda call: call("linear_model", on_null="eror"),
        "on_null does not accept 'eror'",
        "Did you mean 'error'?",
        error=UsageError,
    ),
    mistake(
        "a fill of an input that does not exist",
        lambda call: call("linear_model", on_null={"input": 0.0}),
        "on_null names 'input'",
        "Did you mean 'inputs'?",
        error=UsageError,
    ),
    mistake(
        "a type of strings that does not exist",
        lambda call: call("linear_model", strings="str"),
        "strings does not accept 'str'",
        "'string', 'binary'",
        error=UsageError,
    ),
    mistake(
        "an output that does not exist",
        lambda call: call("linear_model", fetch={"output": "y"}),
        "fetch names 'output', which is not an output",
        "Did you mean 'outputs'?",
        error=BindingError,
    ),
    mistake(
        "a list of outputs",
        lambda call: call("linear_model", fetch=["outputs"]),
        "fetch has an invalid value",
        "a dict {output: column}",
        "found:    ['outputs']",
        error=UsageError,
    ),
    mistake(
        "a shape for an output that does not exist",
        lambda call: call("open", output_shapes={"z": ()}),
        "output_shapes",
        "'z'",
        "'y'",
        error=BindingError,
    ),
    mistake(
        "an output of unknown rank",
        lambda call: call("open"),
        "output y: float32 unknown rank",
        'output_shapes={"y": ()}',
        error=BindingError,
    ),
    mistake(
        "an output that is not one per row",
        lambda call: call("labels"),
        "output labels: string (3,)",
        "fetch",
        error=BindingError,
    ),
    mistake(
        "a batch of one in a model that does not say so",
        lambda call: call("one_row", fetch={"z": "y"}),
        "fetch names 'z'",
        error=BindingError,
    ),
)


def with_predict(world: World) -> Any:
    return lambda model, **options: predict(world.points, model, **options)


def with_predict_udf(world: World) -> Any:
    return lambda model, **options: predict_udf(model, spark=world.spark, **options)


def with_register(world: World) -> Any:
    return lambda model, **options: register(world.spark, "mistaken", model, **options)


def with_predict_rdd(world: World) -> Any:
    elements = world.spark.sparkContext.parallelize([[1.0, 2.0]], 1)
    return lambda model, **options: predict_rdd(elements, model, **options)


FUNCTIONS = (with_predict, with_predict_udf, with_register, with_predict_rdd)


def _rdd(world: World, elements: list[Any], model: str = "linear_model", **options: Any) -> Any:
    return predict_rdd(world.spark.sparkContext.parallelize(elements, 1), model, **options)


def _feed(model: str = "linear_model", **options: Any) -> Any:
    return lambda world: predict(world.points, model, **options)


OF_PREDICT = (
    mistake(
        "an RDD for a DataFrame",
        lambda world: predict(world.points.rdd, "linear_model"),
        "predict scores only Spark DataFrames",
        "predict_rdd",
    ),
    mistake(
        "a pandas frame for a DataFrame",
        lambda world: predict(world.points.select("a").toPandas(), "linear_model"),
        "predict scores only Spark DataFrames",
        "pandas",
        "spark.createDataFrame",
    ),
    mistake(
        "a mistyped input",
        _feed(feed={"input": "features"}),
        "feed names 'input', which is not an input",
        "Did you mean 'inputs'?",
    ),
    mistake(
        "a mistyped column",
        _feed(feed={"inputs": "feature"}),
        "input inputs: float32 (None, 2)",
        "there is no column 'feature'. Did you mean 'features'?",
        "Available columns: id bigint, features array<float>",
    ),
    mistake(
        "a feed that is no dict",
        _feed(feed="features"),
        "feed has an invalid value",
        "a dict {input: column",
        "found:    'features'",
    ),
    mistake(
        "several columns that fit",
        _feed(),
        "input inputs",
        "columns fit",
        'feed={"inputs": "COLUMN"}',
    ),
    mistake(
        "a column that is missing beside another",
        lambda world: predict(world.points.select("a"), "minus"),
        "input b: float32 (None,): no column of that name",
        "feed={",
    ),
    mistake(
        "text for numbers",
        _feed("minus", feed={"b": "word"}),
        "input b: float32 (None,): expected float, found column 'word' of string",
        "try_cast",
    ),
    mistake(
        "a date for a number",
        _feed("minus", feed={"b": "day"}),
        "found column 'day' of date",
        "unix_date(day)",
    ),
    mistake(
        "a map for a number",
        _feed("minus", feed={"b": "m"}),
        "column 'm' of map<string,float>",
        "m['key']",
    ),
    mistake(
        "a struct for a number",
        _feed("minus", feed={"b": "s"}),
        "column 's' of struct<a:float>",
        "s.field",
    ),
    mistake(
        "a number for a flag",
        _feed("top", feed={"x": "four", "k": "word"}),
        "input k: int32 ()",
        "found column 'word' of string",
    ),
    mistake(
        "doubles for an input of integers",
        _feed("ints", feed={"a": "x0", "b": "x1"}),
        "2 mismatches",
        "input a: int32 (None,): expected int, found column 'x0' of double",
        "narrow=True",
    ),
    mistake(
        "too many columns for a vector",
        _feed(feed={"inputs": ["a", "b", "x0"]}),
        "of shape (2,), found 3 columns: 'a', 'b', 'x0'",
    ),
    mistake(
        "an array among columns that are stacked",
        _feed(feed={"inputs": ["features", "a"]}),
        "column 'features' is array<float>; only scalar columns can be stacked",
    ),
    mistake(
        "a number alone for a vector",
        _feed(feed={"inputs": "a"}),
        "expected array<float> of shape (2,), found column 'a' of float",
    ),
    mistake(
        "a scalar input without a value",
        _feed("top", feed={"x": "four"}),
        "input k: int32 (): it is a scalar",
        'feed={"k": value}',
    ),
    mistake(
        "a constant of another type",
        _feed("top", feed={"x": "four", "k": 2.5}),
        "input k: int32 ()",
        "2.5 is not a constant of type int32",
    ),
    mistake(
        "constants alone",
        _feed("minus", feed={"a": 1, "b": 2}),
        "only constants feed the signature",
        "column",
    ),
    mistake(
        "a fill of another type",
        _feed(feed={"inputs": "features"}, on_null={"inputs": "zero"}),
        "input inputs: float32 (None, 2): on_null is 'zero'",
        "column 'features' of array<float>",
    ),
    mistake(
        "a column to keep that does not exist",
        _feed(feed={"inputs": "features"}, keep=["feature"]),
        "no column 'feature'. Did you mean 'features'?",
        "available columns",
    ),
    mistake(
        "one name of a column to keep",
        _feed(feed={"inputs": "features"}, keep="id"),
        "keep has an invalid value",
        "a list of column names",
        "found:    'id'",
    ),
    mistake(
        "a prediction named like a column",
        _feed(feed={"inputs": "features"}, fetch={"outputs": "ID"}),
        "output outputs: float32 (None, 1)",
        "there is already a column 'id'",
        'fetch={"outputs": "',
    ),
    mistake(
        "two columns of one name",
        lambda world: predict(
            world.points.select("features", sf.col("three").alias("features")),
            "linear_model",
            feed={"inputs": "features"},
        ),
        "column 'features' is one of 2 columns of this name",
        "rename it",
    ),
    mistake(
        "a row of another length",
        _feed(feed={"inputs": "three"}, keep=["id"]),
        "model linear_model version 1",
        "column 'three', row 0",
        "expected a row of shape (2,), found (3,)",
        "'id': 7",
        error=RowError,
    ),
    mistake(
        "a null where none may be",
        _feed(feed={"inputs": "hole"}, keep=["id"], on_null="error"),
        "column 'hole', row 0",
        "a null, which on_null",
        "'id': 7",
        error=RowError,
    ),
    mistake(
        "a number beyond the precision of the model",
        _feed("minus", feed={"a": "huge", "b": "a"}, keep=["id"]),
        "column 'huge', row 0",
        "1e+39",
        "float32",
        "'id': 7",
        error=RowError,
    ),
    mistake(
        "bytes that are no text",
        _feed("words", feed={"words": "bytes"}, keep=["id"]),
        "column 'same', row 0",
        "b'\\xff' are not UTF-8",
        'strings="binary"',
        error=RowError,
    ),
    mistake(
        "a model for another machine",
        _feed("nccl", feed={"x": "a"}),
        "NcclAllReduce",
        "model nccl version 1",
        error=EngineError,
    ),
    mistake(
        "an encoded picture for pixels",
        _feed("pixels", feed={"x": "bytes"}),
        "column 'bytes', row 0",
        "(2, 2)",
        error=RowError,
    ),
    mistake(
        "rows together where the model takes one",
        lambda world: predict(
            world.points.union(world.points).coalesce(1), "one_row", feed={"x": "four"}
        ),
        "model one_row version 1",
        "batch_size=1",
        error=EngineError,
    ),
    mistake(
        "variables that are cut off",
        _feed("cut", feed={"inputs": "features"}),
        "model cut version 1",
        "The variables of the model",
        "are damaged",
        "copy both again",
    ),
)

OF_COLUMN_FUNCTIONS = (
    mistake(
        "one argument too few",
        lambda world: world.points.select(predict_udf("minus", spark=world.spark)("a")),
        "takes another number of arguments",
        "a: float32 (None,); b: float32 (None,)",
        "found:    1 argument\n",
        "in this order: a, b",
        error=BindingError,
    ),
    mistake(
        "an argument too many",
        lambda world: predict_udf("minus", spark=world.spark)("a", "b", "x0"),
        "takes another number of arguments",
        "found:    3 arguments",
        "in this order: a, b",
        error=BindingError,
    ),
    mistake(
        "an argument by a mistyped name",
        lambda world: predict_udf("minus", spark=world.spark)(a="a", c="b"),
        "takes each of its inputs once",
        "expected: 'a', 'b'",
        "by name 'a', 'c'",
        "Hint: give each input one column",
        error=BindingError,
    ),
    mistake(
        "columns in another order than their names",
        lambda world: predict_udf("minus", spark=world.spark)("b", "a"),
        "in another order",
        "expected: a, b",
        "found:    b, a",
        'a="a", b="b"',
        error=BindingError,
    ),
    mistake(
        "a kind that does not exist",
        lambda world: predict_udf("minus", kind="panda", spark=world.spark),
        "kind does not accept 'panda'",
        "Did you mean 'pandas'?",
        error=UsageError,
    ),
    mistake(
        "a function without a name",
        lambda world: register(world.spark, "", "minus"),
        "needs a name",
        "'tfpredict'",
        error=UsageError,
    ),
    mistake(
        "a name that SQL has already",
        lambda world: register(world.spark, "sum", "minus"),
        "SQL has a built-in function 'sum'",
        "choose another name",
        error=UsageError,
    ),
    mistake(
        "text for numbers, in a task",
        lambda world: world.points.select(predict_udf("minus", spark=world.spark)(a="a", b="word")),
        "input b: float32 (None,)",
        "of string",
        "try_cast",
        error=BindingError,
    ),
    mistake(
        "doubles for integers, in a task",
        lambda world: world.points.select(predict_udf("ints", spark=world.spark)(a="x0", b="x1")),
        "input a: int32 (None,)",
        "of double",
        "narrow=True",
        error=BindingError,
    ),
)

OF_PREDICT_RDD = (
    mistake(
        "a DataFrame for an RDD",
        lambda world: predict_rdd(world.points, "linear_model"),
        "RDD",
        "predict(",
        error=UsageError,
    ),
    mistake(
        "a mistyped input of an RDD",
        lambda world: _rdd(world, [{"a": 1.0}], feed={"input": "a"}),
        "feed names 'input', which is not an input",
        "Did you mean 'inputs'?",
        error=BindingError,
    ),
    mistake(
        "a key that an element lacks",
        lambda world: _rdd(world, [{"a": 1.0}, {"a": 1.0}], "minus"),
        "row 0 of partition 0",
        "input b: float32 (None,)",
        "it has 'a', but not 'b'",
        error=RowError,
    ),
    mistake(
        "a list for several inputs",
        lambda world: _rdd(world, [[1.0, 2.0]], "minus"),
        "row 0 of partition 0",
        "it is a list, not a dict or Row with 'a', 'b'",
        error=RowError,
    ),
    mistake(
        "text in an element",
        lambda world: _rdd(world, [[1.0, 2.0], ["1", 2.0]]),
        "row 1 of partition 0",
        "input inputs: float32 (None, 2)",
        error=RowError,
    ),
    mistake(
        "an element of another length",
        lambda world: _rdd(world, [[1.0, 2.0], [1.0]]),
        "row 1 of partition 0",
        "expected a row of shape (2,), found (1,)",
        error=RowError,
    ),
    mistake(
        "a scalar without a value, for an RDD",
        lambda world: _rdd(world, [{"x": [1.0, 2.0, 3.0, 4.0]}], "top"),
        "row 0 of partition 0",
        "input k: int32 ()",
        "but not 'k'",
        error=RowError,
    ),
)
