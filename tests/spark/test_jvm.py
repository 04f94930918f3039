"""`engine="jvm"` in a session without the bridge: what is refused, and with which next step."""

import pytest

import tfspark
from tfspark.errors import BindingError, EngineError, UsageError


def test_a_session_without_the_bridge_is_told_how_to_get_it(points, linear):
    with pytest.raises(EngineError) as caught:
        tfspark.predict(points, linear, engine="jvm")
    assert "make bridge" in str(caught.value)
    assert "--jars" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"narrow": True}, 'spark.conf.set("spark.tfspark.narrow", "true")'),
        ({"strings": "binary"}, 'spark.conf.set("spark.tfspark.strings", "binary")'),
        ({"batch_size": 64}, 'spark.conf.set("spark.tfspark.batchSize", "64")'),
        ({"on_null": "error"}, "null for null only"),
        ({"on_null": 0.0}, "null for null only"),
    ],
)
def test_options_that_are_settings_of_the_bridge_name_them(points, linear, options, words):
    with pytest.raises(UsageError) as caught:
        tfspark.predict(points, linear, engine="jvm", **options)
    assert words in str(caught.value)


def test_mismatches_are_found_before_the_bridge_is_asked(points, linear):
    with pytest.raises(BindingError, match="no column 'nothing'"):
        tfspark.predict(points, linear, feed={"inputs": "nothing"}, engine="jvm")


def test_faces_that_run_in_python_do_not_take_it(spark, linear):
    for face in (
        tfspark.predict_udf,
        lambda model, **options: tfspark.register(spark, "f", model, **options),
    ):
        with pytest.raises(UsageError, match="tf_predict in SQL"):
            face(linear, engine="jvm")
