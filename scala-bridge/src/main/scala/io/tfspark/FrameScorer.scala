package io.tfspark

import java.util.Locale

import scala.util.Try

import io.tfspark.error._
import io.tfspark.model._
import io.tfspark.sql._
import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions.{call_function, col}

/** A request to score a DataFrame: the columns that feed, the outputs to return, the columns to
  * keep, and the inputs that have one value in every row.
  */
private[tfspark] case class FrameCall(
    feed: Map[String, Seq[String]],
    fetch: Option[Seq[(String, String)]],
    keep: Option[Seq[String]],
    constants: Map[String, Column],
    terms: Terms = Terms.Scala
)

/** A scored DataFrame, the binding with which its rows are scored, and the kept columns. */
private[tfspark] case class ScoredFrame(frame: DataFrame, binding: Binding, kept: Seq[String])

/** Adds predictions to the columns of a DataFrame. Driver; lazy. */
private[tfspark] object FrameScorer {

  def apply(
      df: DataFrame,
      located: LocatedModel,
      asked: FrameCall,
      options: ScoreOptions
  ): ScoredFrame = {
    val kept = keptColumns(df, df.columns.toSeq, asked.keep)
    val signature = options.signatureOf(located.model)
    val fields = withFields(df, asked.feed.values.flatten.toSeq)
    val wide = asked.constants.foldLeft(fields) { case (before, (input, value)) =>
      before.withColumn(constant(input), value)
    }
    val binding = Binding.bind(
      signature,
      ColumnAtHand.of(wide.schema),
      asked.feed ++ asked.constants.map { case (input, _) => input -> Seq(constant(input)) },
      asked.fetch,
      options.binding(asked.terms, isCaseSensitive(df)),
      taken = kept
    )
    val fed = binding.inputs.flatMap(_.columns)
    val call = ModelCall.of(located, signature, binding, options.batchSize)
    val name = functionName(call, options)
    Notices.say(located.model, binding)
    SessionFunctions.register(df.sparkSession, name)(TfPredict(call, _))
    val scored = call_function(name, fed.map(quoted): _*)
    val names = binding.outputs.map(_.column) ++ binding.reason
    ScoredFrame(select(wide, kept, scored, names), binding, kept)
  }

  /** Add a column for each name that means a field of a struct, such as `s.field`. */
  private def withFields(df: DataFrame, names: Seq[String]): DataFrame = {
    val fields = names.distinct.filter { name =>
      name.contains('.') && resolved(df, df.columns.toSeq, name).isEmpty &&
      Try(df.select(col(name)).schema).isSuccess
    }
    if (fields.isEmpty) df else df.select(col("*") +: fields.map(name => col(name).as(name)): _*)
  }

  private def resolved(df: DataFrame, columns: Seq[String], name: String): Option[String] =
    ColumnAtHand.resolve(name, columns, isCaseSensitive(df))

  /** The name of the column of a constant. */
  private def constant(input: String): String = s"constant of $input"

  private def isCaseSensitive(df: DataFrame): Boolean =
    df.sparkSession.conf.get("spark.sql.caseSensitive").toBoolean

  /** Columns to keep, each once, as Spark resolves their names; a wrong name is refused.
    *
    * @param df its session says whether case counts
    */
  private[tfspark] def keptColumns(
      df: DataFrame,
      columns: Seq[String],
      keep: Option[Seq[String]]
  ): Seq[String] = {
    val asked = keep.map(_.map(name => resolved(df, columns, name).getOrElse(name)))
    val wanted = asked.getOrElse(columns).distinct
    val unknown = wanted.filterNot(columns.contains)
    if (unknown.nonEmpty)
      throw new BindingException(
        Explain.unknown("Columns to keep do not exist", unknown, columns)
      )
    wanted
  }

  private def select(
      df: DataFrame,
      kept: Seq[String],
      call: Column,
      names: Seq[String]
  ): DataFrame =
    if (names.size == 1) df.select(kept.map(quoted) :+ call.as(names.head): _*)
    else {
      val taken = (df.columns ++ names).map(_.toLowerCase(Locale.ROOT)).toSet
      val struct = Iterator.iterate("predictions")("_" + _).dropWhile(taken.contains).next()
      val fields = names.map(name => col(s"`$struct`.${inTicks(name)}").as(name))
      df.select(kept.map(quoted) :+ call.as(struct): _*).select(kept.map(quoted) ++ fields: _*)
    }

  /** Equal functions have equal names, so scoring in a loop adds no functions to the session. */
  private def functionName(call: ModelCall, options: ScoreOptions): String =
    f"tfspark_${call.located.model.digest.take(12)}_${(call, options).hashCode}%08x"

  private def quoted(name: String): Column = col(inTicks(name))

  private def inTicks(name: String): String = s"`${name.replace("`", "``")}`"
}
