package io.tfspark

import io.tfspark.hive.TfPredictUdf
import org.apache.hadoop.hive.ql.udf.generic.GenericUDF
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspector

/** The permanent function under another name, so that no rule replaces its calls by batched ones.
  */
final class OneByOne extends GenericUDF {
  @transient private lazy val inner = new TfPredictUdf

  override def initialize(inspectors: Array[ObjectInspector]): ObjectInspector =
    inner.initialize(inspectors)
  override def evaluate(arguments: Array[GenericUDF.DeferredObject]): AnyRef =
    inner.evaluate(arguments)
  override def getDisplayString(children: Array[String]): String = inner.getDisplayString(children)
}
