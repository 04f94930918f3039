package io.tfspark

import java.util.Locale

import io.tfspark.error._
import io.tfspark.model._
import io.tfspark.sql._
import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions.{call_function, col}

/** Puts predictions beside the columns of a DataFrame. Driver; lazy. */
private object FrameScorer {

  def apply(
      df: DataFrame,
      located: LocatedModel,
      feed: Map[String, Seq[String]],
      fetch: Option[Seq[(String, String)]],
      keep: Option[Seq[String]],
      options: ScoreOptions
  ): DataFrame = {
    val kept = keptColumns(df.columns.toSeq, keep)
    val signature = located.model.signature(options.signature)
    val binding = Binding.bind(
      signature,
      ColumnAtHand.of(df.schema),
      feed,
      fetch,
      TfSpark.bindingOptions(options),
      taken = kept
    )
    val fed = binding.inputs.flatMap(_.columns)
    val name = functionName(located, binding, options)
    SessionFunctions.register(df.sparkSession, name) { arguments =>
      TfPredict(
        ModelCall(located, signature, positional(binding), options.batchSize, fed),
        arguments
      )
    }
    select(df, kept, call_function(name, fed.map(quoted): _*), binding.outputs.map(_.column))
  }

  /** Columns to keep, each once; a wrong name is refused. */
  private def keptColumns(columns: Seq[String], keep: Option[Seq[String]]): Seq[String] = {
    val wanted = keep.getOrElse(columns).distinct
    val unknown = wanted.filterNot(columns.contains)
    if (unknown.nonEmpty)
      throw new BindingException(
        Explain.all(
          "Columns to keep are not there",
          unknown.map(name => s"no column '$name'.${Explain.didYouMean(name, columns)}"),
          s"columns at hand: ${columns.mkString(", ")}."
        )
      )
    wanted
  }

  /** The same binding by the positions of arguments. */
  private def positional(binding: Binding): Binding = {
    val starts = binding.inputs.map(_.columns.size).scanLeft(0)(_ + _)
    binding.copy(inputs = binding.inputs.zip(starts).map { case (input, start) =>
      input.copy(columns = input.columns.indices.map(index => ModelCall.argument(start + index)))
    })
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

  /** One name per meaning, so that scoring in a loop adds no functions to the session. */
  private def functionName(located: LocatedModel, binding: Binding, options: ScoreOptions): String =
    f"tfspark_${located.model.digest.take(12)}_${(located, binding, options).hashCode}%08x"

  private def quoted(name: String): Column = col(inTicks(name))

  private def inTicks(name: String): String = s"`${name.replace("`", "``")}`"
}
