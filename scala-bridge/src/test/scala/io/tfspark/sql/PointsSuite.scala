package io.tfspark.sql

import java.nio.file.Files

import io.tfspark.SparkSuite
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.execution.SparkPlan
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, QueryStageExec}
import org.scalatest.BeforeAndAfterAll

/** A test that queries ten points in the view `rows` and in the Parquet table `t`. The model is
  * 2·x0 − x1 + 3.
  */
trait PointsSuite extends SparkSuite with BeforeAndAfterAll {
  protected lazy val parquet: String =
    Files.createTempDirectory("tf-predict").resolve("t").toString
  protected val call = "tf_predict('linear', features)"

  override def beforeAll(): Unit = {
    super.beforeAll()
    sql("""SELECT id, array(float(id), float(1)) AS features, float(id) AS x0, float(1) AS x1, id % 3 AS third
             FROM range(0, 10, 1, 1)""").createOrReplaceTempView("rows")
    sql("SELECT * FROM rows").write.parquet(parquet)
    spark.read.parquet(parquet).createOrReplaceTempView("t")
  }

  /** The model's answer for row `id`: 2·id + 2. */
  protected def expected(ids: Long*): Seq[Float] = ids.map(id => 2f * id + 2f)

  protected def evals(query: DataFrame): Seq[TfBatchEval] =
    query.queryExecution.optimizedPlan.collect { case eval: TfBatchEval => eval }

  protected def execs(plan: SparkPlan): Seq[TfBatchEvalExec] = plan match {
    case adaptive: AdaptiveSparkPlanExec => execs(adaptive.executedPlan)
    case stage: QueryStageExec => execs(stage.plan)
    case exec: TfBatchEvalExec => exec +: exec.children.flatMap(execs)
    case other => other.children.flatMap(execs)
  }

  protected def rowsScored(query: DataFrame): Long =
    execs(query.queryExecution.executedPlan).map(_.metrics("modelRows").value).sum
}
