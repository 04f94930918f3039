package io.tfspark.sql

import io.tfspark.ScoreOptions
import io.tfspark.error.Terms
import io.tfspark.model._

/** The options of a call of a model in SQL. Driver.
  *
  * @param fetch output → field of the result; by default, all outputs under their own names
  * @param sessionShapes output shapes of the session's setting, used if the model leaves them open
  * @param labels names of the arguments in row errors; by default their positions
  * @param terms the caller's spelling of options
  * @param inOrder whether the caller states that the arguments are in the order of the inputs
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
