"""The message when the JVM of Spark does not start: the reason, the next step, no trace of Java."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark import java_gateway

from tfspark.errors import EngineError
from tfspark.spark.cluster.jvm_process import start_jvm

THROWN = """WARNING: Using incubator modules
Exception in thread "main" org.apache.spark.SparkException: HADOOP_CONF_DIR must be set.
\tat org.apache.spark.deploy.SparkSubmit$.main(SparkSubmit.scala:1180)
"""
NO_JAVA = "spark-class: line 71: /nowhere/bin/java: No such file or directory\n"


@pytest.mark.parametrize(
    ("log", "error", "home", "words"),
    [
        (THROWN, RuntimeError("ended"), "", ["HADOOP_CONF_DIR must be set.", "the master"]),
        (NO_JAVA, RuntimeError("ended"), "", ["/nowhere/bin/java", "needs Java 17", "JAVA_HOME"]),
        ("", FileNotFoundError("bin/spark-submit"), "/none", ["SPARK_HOME=/none", "or unset it"]),
    ],
)
def test_the_reason_is_told_without_a_trace(
    log: str,
    error: Exception,
    home: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setenv("SPARK_HOME", home)
    monkeypatch.setattr(java_gateway, "launch_gateway", fail)
    file = tmp_path / "spark.log"
    file.write_text(log)
    with pytest.raises(EngineError) as refused:
        start_jvm({}, file)
    assert not [word for word in words if word not in str(refused.value)]
    assert "SparkSubmit.scala" not in str(refused.value)
