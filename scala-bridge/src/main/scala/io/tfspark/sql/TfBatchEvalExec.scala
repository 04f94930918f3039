package io.tfspark.sql

import io.tfspark.score.BatchSize
import io.tfspark.tensor.ColumnPlace
import org.apache.spark.{InterruptibleIterator, TaskContext}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans.physical.{Partitioning, UnknownPartitioning}
import org.apache.spark.sql.execution.{SparkPlan, UnaryExecNode}
import org.apache.spark.sql.execution.metric.{SQLMetric, SQLMetrics}
import org.apache.spark.sql.vectorized.ColumnarBatch

/** Evaluates calls of models in batches, without Python: directly from columnar batches if the
  * child is columnar (Parquet), otherwise from rows. Planned on the driver, runs on executors.
  *
  * Row order and kept columns are those of the child. The kept columns of a columnar batch are not
  * copied. If the results of the batch do not fit into memory, it is returned in parts.
  */
final case class TfBatchEvalExec(
    calls: Seq[TfPredict],
    results: Seq[Attribute],
    keep: Seq[Attribute],
    batchSize: BatchSize,
    child: SparkPlan
) extends UnaryExecNode {
  override def output: Seq[Attribute] = keep ++ results
  override def producedAttributes: AttributeSet = AttributeSet(results)
  override def nodeName: String = "TfBatchEval"

  // Known only after the child is planned; before that, the child is a placeholder.
  override def supportsColumnar: Boolean = child.supportsColumnar

  override def outputPartitioning: Partitioning = child.outputPartitioning match {
    case keyed: Expression if !keyed.references.subsetOf(outputSet) =>
      UnknownPartitioning(child.outputPartitioning.numPartitions)
    case other => other
  }

  override def outputOrdering: Seq[SortOrder] =
    child.outputOrdering.takeWhile(_.references.subsetOf(outputSet))

  override lazy val metrics: Map[String, SQLMetric] = Map(
    "numOutputRows" -> SQLMetrics.createMetric(sparkContext, "number of output rows"),
    "modelRows" -> SQLMetrics.createMetric(sparkContext, "rows scored"),
    "modelBatches" -> SQLMetrics.createMetric(sparkContext, "batches scored"),
    "modelLoadTime" -> SQLMetrics.createTimingMetric(sparkContext, "time to load models"),
    "modelRunTime" -> SQLMetrics.createNanoTimingMetric(sparkContext, "time in models")
  )

  override def simpleString(maxFields: Int): String = {
    val models = calls.zip(results).map { case (call, result) => s"$call AS $result" }
    s"$nodeName [${models.mkString(", ")}], keep [${keep.mkString(", ")}], batch size $batchSize"
  }

  override def verboseStringWithOperatorId(): String = {
    val models = calls.zip(results).map { case (call, result) =>
      s"$result: model ${call.call.located.model.path}, digest ${call.call.located.model.digest}, " +
        s"signature ${call.call.signature.name}, arguments [${call.children.mkString(", ")}]"
    }
    s"$formattedNodeName\nModels: ${models.mkString("; ")}\nBatch size: $batchSize\nKeep: [${keep.mkString(", ")}]\n"
  }

  override protected def doExecuteColumnar(): RDD[ColumnarBatch] = {
    val (planned, settings, counts, rowsOut) =
      (plan, evalSettings, evalMetrics, longMetric("numOutputRows"))
    val kept = ordinals(keep)
    child.executeColumnar().mapPartitionsWithIndex(
      (partition, batches) => {
        lazy val task = new TaskCalls(planned, settings, counts, partition)
        val parts = batches.flatMap(task.score(_, kept))
        new InterruptibleIterator(TaskContext.get(), parts).map { part =>
          rowsOut.add(part.numRows.toLong)
          part
        }
      },
      preservesPartitioning = true
    )
  }

  override protected def doExecute(): RDD[InternalRow] = {
    val (planned, settings, counts, rowsOut) =
      (plan, evalSettings, evalMetrics, longMetric("numOutputRows"))
    val inputs = child.output
    child.execute().mapPartitionsWithIndex(
      (partition, rows) => {
        val batches = new RowBatches(planned, settings, counts, rowsOut, partition, inputs)
        batches.score(new InterruptibleIterator(TaskContext.get(), rows))
      },
      preservesPartitioning = true
    )
  }

  override protected def withNewChildInternal(newChild: SparkPlan): TfBatchEvalExec =
    copy(child = newChild)

  private def evalSettings: EvalSettings =
    EvalSettings(batchSize, BridgeConf.cacheModels, keep, ReadRows.knowsFiles(child))

  private def evalMetrics: EvalMetrics =
    EvalMetrics(
      longMetric("modelRows"),
      longMetric("modelBatches"),
      longMetric("modelLoadTime"),
      longMetric("modelRunTime")
    )

  private def plan: Seq[PlannedCall] = {
    val conf = session.sessionState.newHadoopConf()
    calls.map { one =>
      val places = one.call.binding.inputs.map(_.columns.map(name => place(one, name)))
      PlannedCall(one.call, ModelDistribution.source(sparkContext, one.call.located, conf), places)
    }
  }

  private def place(one: TfPredict, name: String): ColumnPlace = {
    val position = one.children.indices.indexWhere(ModelCall.argument(_) == name)
    val argument = one.children(position)
    val ordinal =
      child.output.indexWhere(column => argument.references.exists(_.exprId == column.exprId))
    ColumnPlace(one.call.label(position), ordinal, argument.dataType)
  }

  private def ordinals(attributes: Seq[Attribute]): Seq[Int] =
    attributes.map(attribute => child.output.indexWhere(_.exprId == attribute.exprId))
}
