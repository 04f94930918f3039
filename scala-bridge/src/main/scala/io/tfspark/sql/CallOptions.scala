package io.tfspark.sql

import io.tfspark.ScoreOptions
import io.tfspark.error.Terms
import io.tfspark.model._

/** What a call of a model in SQL was given beside its arguments. Driver.
  *
  * @param fetch output → field of the result; nothing for every output under its own name
  * @param sessionShapes shapes of outputs that the session's setting gives, where a model leaves
  *   them open
  * @param labels what errors of rows call the arguments; left out, their positions
  * @param terms how the caller spells options
  * @param inOrder whether the caller says that the arguments are in order, whatever they are called
  */
final private[tfspark] case class CallOptions(
    score: ScoreOptions = ScoreOptions(),
    fetch: Option[Seq[(String, String)]] = None,
    sessionShapes: Map[String, Shape] = Map.empty,
    labels: Seq[String] = Nil,
    terms: Terms = Terms.Sql,
    inOrder: Boolean = false
) {

  /** A signature with the shapes that the call and the session give. */
  def shaped(signature: Signature): Signature =
    OutputShapes.whereUnknown(OutputShapes(signature, score.outputShapes), sessionShapes)
}
