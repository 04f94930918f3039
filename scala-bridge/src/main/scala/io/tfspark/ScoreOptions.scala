package io.tfspark

import io.tfspark.error.Terms
import io.tfspark.model._

/** Options of every API.
  *
  * @param version version folder; by default the newest
  * @param batchSize rows per call of the model; by default up to 1 MiB
  * @param narrow allow numbers that may have fractions to feed integers, each checked
  * @param binaryStrings take string outputs as binary
  * @param tags tag set of the graph
  * @param outputShapes output → shape of one row, for outputs whose rank the model does not tell:
  *   `Nil` is one number, `None` a size that varies
  * @param onNull what happens to a row with a null in an input
  * @param allowOps operations that the model may contain although they touch files, the network,
  *   other processes or Python; the operator's setting `spark.tfspark.allowOps` allows more
  * @param sha256 the digest that the model must have, in hexadecimal; a model with another digest
  *   is refused before its graph is read
  * @param onError what happens to a bad row, which cannot be fed or which the model refuses
  */
final case class ScoreOptions(
    version: Option[Long] = None,
    signature: String = Signature.Default,
    batchSize: Option[Int] = None,
    narrow: Boolean = false,
    binaryStrings: Boolean = false,
    tags: Seq[String] = ModelPackage.DefaultTags,
    outputShapes: Map[String, Shape] = Map.empty,
    onNull: OnNull = OnNull.GiveNull,
    allowOps: Seq[String] = Nil,
    sha256: Option[String] = None,
    onError: OnError = OnError.Raise
) {

  /** The signature of a model that these options choose, with the given shapes. */
  private[tfspark] def signatureOf(model: ModelPackage): Signature = {
    val chosen = OutputShapes(model.signature(signature), outputShapes)
    OnNull.check(onNull, chosen)
    chosen
  }

  private[tfspark] def binding(
      terms: Terms,
      caseSensitive: Boolean = false
  ): BindingOptions =
    BindingOptions(narrow, binaryStrings, onNull, batchSize, caseSensitive, terms, onError)
}
