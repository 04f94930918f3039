package io.tfspark

import io.tfspark.engine._
import io.tfspark.error._
import io.tfspark.score._
import io.tfspark.sql.{LocatedModel, Notices}

/** A model that runs in this JVM, on the driver or anywhere: `feed` its inputs, `fetch` its
  * outputs, `run`.
  *
  * Close it; the session behind it is shared with everything else in this JVM that uses the model.
  * One thread.
  *
  * {{{
  * Using.resource(TfSpark.open("models/linear_model")) { model =>
  *   model.feed("inputs", Seq(Seq(1f, 2f), Seq(3f, 5f))).fetch("outputs").run() // Map(outputs -> Seq(3f, 4f))
  * }
  * }}}
  */
final class LocalModel private[tfspark] (located: LocatedModel, options: ScoreOptions)
    extends AutoCloseable {
  private val model = located.model
  private val signature = options.signatureOf(model)
  Notices.sayIfRandom(model)
  private val lease = SessionCache.shared.lease(
    SessionKey(model.digest, model.tags, ModelSource.Shared(model.path), model.size, 1),
    sql.BridgeConf.cacheModels
  )

  /** A description of the model: its inputs and outputs. */
  def describe: String = model.describe

  /** Start a run with the rows of one input: a sequence with one value per row. */
  def feed(input: String, rows: Seq[Any]): LocalRun =
    LocalRun(this, Map.empty, Nil).feed(input, rows)

  private[tfspark] def run(
      feeds: Map[String, Seq[Any]],
      fetches: Seq[String]
  ): Map[String, Seq[Any]] = synchronized {
    val session = lease.session // refuses when the model is closed
    val inputs = signature.inputs.map(_.name)
    val wrong = inputs.filterNot(feeds.contains).map(name => s"input '$name' is not fed") ++
      feeds.keys.filterNot(inputs.contains).map { name =>
        s"feed names '$name', which is not an input of the signature." +
          Explain.didYouMean(name, inputs)
      } ++
      Option.when(
        feeds.values.map(_.size).toSet.size > 1
      )("the inputs have different numbers of rows")
    if (wrong.nonEmpty) throw new BindingException(Explain.all(
      s"Signature '${signature.name}' does not fit the feeds",
      wrong
    ))
    val outputs = if (fetches.isEmpty) signature.outputs.map(_.name) else fetches
    scala.util.Using.resource(
      new ValueScorer(session, signature, outputs, options, Origin(model.title, None))
    ) { scorer =>
      val rows = inputs.map(feeds).transpose
      val names = outputs ++ options.onError.reason
      names.zip(scorer.score(rows.iterator).toSeq.transpose.padTo(names.size, Nil)).toMap
    }
  }

  override def close(): Unit = synchronized(lease.close())
}

/** A run that is being prepared; immutable. */
final case class LocalRun private[tfspark] (
    private val model: LocalModel,
    private val feeds: Map[String, Seq[Any]],
    private val fetches: Seq[String]
) {

  /** Add the rows of one more input. */
  def feed(input: String, rows: Seq[Any]): LocalRun = copy(feeds = feeds + (input -> rows))

  /** Request an output; if none is requested, the run returns all outputs. */
  def fetch(output: String): LocalRun = copy(fetches = fetches :+ output)

  /** Run the model: output → one value per row. */
  def run(): Map[String, Seq[Any]] = model.run(feeds, fetches)
}
