package io.tfspark.hive

import scala.jdk.CollectionConverters._
import scala.util.Using

import io.tfspark.engine._
import io.tfspark.error._
import io.tfspark.score._
import io.tfspark.sql._
import io.tfspark.tensor.ColumnPlace
import org.apache.hadoop.hive.common.`type`.HiveDecimal
import org.apache.hadoop.hive.ql.udf.generic.GenericUDF
import org.apache.hadoop.hive.serde2.objectinspector._
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorUtils.ObjectInspectorCopyOption
import org.apache.hadoop.hive.serde2.typeinfo.TypeInfoUtils
import org.apache.spark.TaskContext
import org.apache.spark.sql.Row
import org.apache.spark.sql.catalyst.{CatalystTypeConverters, InternalRow}
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector
import org.apache.spark.sql.types.{ArrayType, DataType, StructType}
import org.apache.spark.sql.vectorized.{ColumnarBatch, ColumnVector}

/** The permanent function:
  * `CREATE FUNCTION db.tfpredict AS 'io.tfspark.hive.TfPredictUdf' USING JAR '…'`.
  *
  * It outlives the session that made it. If the bridge's jar was on the driver at its start, calls
  * run in batches (`BatchPermanentFunctions`); otherwise Hive's interface passes one row at a time,
  * with the same results. Driver and executor; live objects are transient, because Spark copies the
  * function by value.
  */
final class TfPredictUdf extends GenericUDF {
  @transient private var scorer: Option[RowScorer] = None

  override def initialize(inspectors: Array[ObjectInspector]): ObjectInspector = {
    val arguments = inspectors.toSeq.map(TfPredictUdf.placeholder)
    // The property of the table is unknown here; such a call is replaced before it runs.
    val needsTable =
      !arguments.headOption.exists(FunctionModel.isModel) && BridgeConf.functionModel.isEmpty
    if (needsTable) TfPredictUdf.inspector("void")
    else {
      val call = FunctionModel.call(arguments, None, HadoopConf.ofProcess)
      scorer = Some(new RowScorer(call, arguments, inspectors.toSeq))
      TfPredictUdf.inspector(call.dataType.catalogString)
    }
  }

  override def evaluate(arguments: Array[GenericUDF.DeferredObject]): AnyRef =
    scorer
      .getOrElse(
        throw new UsageException(
          Explain(
            "The permanent function has no model.",
            expected =
              "the bridge's jar on the driver (--jars) for the property of a table to count",
            hint = s"name the model as first argument, or set ${BridgeConf.FunctionModel}."
          )
        )
      )
      .score(arguments.toSeq.map(_.get))

  override def getDisplayString(children: Array[String]): String =
    s"tf_predict(${children.mkString(", ")})"
}

private object TfPredictUdf {

  /** An argument as an expression: its type, and its value if it is a constant. */
  private def placeholder(inspector: ObjectInspector): Expression = {
    val kind = typeOf(inspector)
    inspector match {
      case constant: ConstantObjectInspector =>
        val value =
          ObjectInspectorUtils.copyToStandardJavaObject(constant.getWritableConstantValue, constant)
        Literal.create(CatalystTypeConverters.convertToScala(toCatalyst(value, kind), kind), kind)
      case _ => AttributeReference("argument", kind)()
    }
  }

  def typeOf(inspector: ObjectInspector): DataType =
    CatalystSqlParser.parseDataType(
      TypeInfoUtils.getTypeInfoFromObjectInspector(inspector).getTypeName
    )

  def inspector(kind: String): ObjectInspector =
    TypeInfoUtils.getStandardJavaObjectInspectorFromTypeInfo(
      TypeInfoUtils.getTypeInfoFromTypeString(kind)
    )

  def toCatalyst(value: Any, kind: DataType): Any =
    CatalystTypeConverters.createToCatalystConverter(kind)(toScala(value, kind))

  def toJava(value: Any): AnyRef = value match {
    case many: scala.collection.Seq[_] => many.map(toJava).asJava
    case row: Row => row.toSeq.map(toJava).asJava
    case number: java.math.BigDecimal => HiveDecimal.create(number)
    case other => other.asInstanceOf[AnyRef]
  }

  /** Hive has a list for a struct, too; Spark would take the fields of a Scala list for those of
    * the struct.
    */
  private def toScala(value: Any, kind: DataType): Any = (value, kind) match {
    case (fields: java.util.List[_], struct: StructType) =>
      Row.fromSeq(fields.asScala.toSeq.zip(struct.fields).map { case (one, field) =>
        toScala(one, field.dataType)
      })
    case (many: java.util.List[_], ArrayType(element, _)) =>
      many.asScala.map(toScala(_, element)).toSeq
    case (number: HiveDecimal, _) => number.bigDecimalValue
    case _ => value
  }
}

/** Scores one row at a time. Driver or executor, one thread.
  *
  * A task keeps the model until it ends; outside of tasks, the model is released after each row.
  *
  * @param arguments all arguments of the function, of which the inputs of the call are made
  */
final private class RowScorer(
    call: TfPredict,
    arguments: Seq[Expression],
    inspectors: Seq[ObjectInspector]
) {
  private val columns = arguments.map {
    case column: AttributeReference => column
    case constant => AttributeReference("constant", constant.dataType)()
  }
  // One argument, a struct, may feed several inputs.
  private val inputs = BindReferences.bindReferences(call.children, AttributeSeq(columns))
  private val vector = new OnHeapColumnVector(1, call.dataType)
  private val result = new ColumnarBatch(Array[ColumnVector](vector), 1)
  private var ofTask: Option[BatchScorer] = None

  def score(values: Seq[Any]): AnyRef = {
    val row = fed(values)
    Option(TaskContext.get()) match {
      case Some(task) => score(row, scorerOf(task))
      case None =>
        Using.resource(lease(threads = 1)) { lease =>
          Using.resource(scorer(lease.session, None))(score(row, _))
        }
    }
  }

  private def fed(values: Seq[Any]): InternalRow = {
    val columnValues = values.indices.map { index =>
      arguments(index) match {
        case _: AttributeReference => toCatalyst(values(index), index)
        case _ => null // a constant is part of the inputs
      }
    }
    val row = new GenericInternalRow(columnValues.toArray[Any])
    new GenericInternalRow(inputs.map(_.eval(row)).toArray[Any])
  }

  private def toCatalyst(value: Any, index: Int): Any = {
    val copy = ObjectInspectorUtils.copyToStandardObject(
      value,
      inspectors(index),
      ObjectInspectorCopyOption.JAVA
    )
    TfPredictUdf.toCatalyst(copy, columns(index).dataType)
  }

  private def score(fed: InternalRow, scorer: BatchScorer): AnyRef = {
    scorer.start(vector)
    scorer.add(fed)
    scorer.finish()
    val row = result.getRow(0)
    if (row.isNullAt(0)) null
    else TfPredictUdf.toJava(CatalystTypeConverters.convertToScala(
      row.get(0, call.dataType),
      call.dataType
    ))
  }

  private def scorerOf(task: TaskContext): BatchScorer = ofTask.getOrElse {
    val made =
      TaskEnd.runner(task, lease(task.cpus()))(scorer(_, Some(task.partitionId())))
    ofTask = Some(made)
    made
  }

  private def lease(threads: Int): SessionLease = {
    val model = call.call.located.model
    val source = call.call.located.remote.fold[ModelSource](ModelSource.Shared(model.path)) { uri =>
      ModelSource.Remote(uri, RemoteFiles(HadoopConf.ofProcess))
    }
    val key = SessionKey(model.digest, model.tags, source, model.size, threads)
    SessionCache.shared.lease(key, BridgeConf.cacheModels)
  }

  private def scorer(session: NativeSession, partition: Option[Int]): BatchScorer = {
    val places = call.call.binding.inputs.map(_.columns.map { name =>
      val ordinal = inputs.indices.indexWhere(ModelCall.argument(_) == name)
      ColumnPlace(name, ordinal, inputs(ordinal).dataType)
    })
    new BatchScorer(
      session.runner(call.call.signature),
      call.call.binding,
      places,
      BatchSize(Some(1)),
      Origin(call.call.located.model.title, partition)
    )
  }
}
