"""A DAG of Airflow that scores the rows of each day on YARN.

The run id names the day. A retry continues the killed run of this day. The rows of a day that is
done are not appended again, even if the task is cleared or the day is backfilled. The connection
`spark_yarn` has the master `yarn`. The workers of Airflow need spark-submit, the archive that
`make env-archive` writes, and `jobs/batch_score.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG

with DAG(
    "score_prices",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # one job at a time writes to the output
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    SparkSubmitOperator(
        task_id="score",
        name="score prices of {{ ds }}",
        conn_id="spark_yarn",
        deploy_mode="cluster",
        application="/opt/tfspark/batch_score.py",
        archives="/opt/tfspark/environment.tar.gz#environment",
        env_vars={"PYSPARK_PYTHON": "./environment/bin/python"},
        num_executors=4,
        application_args=[
            *("--model", "hdfs:///models/price"),
            *("--input", "hdfs:///homes/day={{ ds }}"),
            *("--output", "hdfs:///prices"),
            *("--mode", "append"),
            *("--run-id", "prices-{{ ds }}"),
        ],
    )
