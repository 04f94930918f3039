package io.tfspark.sql

import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.model._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.catalyst.CatalystTypeConverters
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types._

/** Builds calls from the arguments of a SQL function, and raises the errors that they show. Driver.
  */
object TfPredictFunction {

  /** `tf_predict(model, [options,] [signature,] inputs…)`. */
  def build(arguments: Seq[Expression], conf: Configuration): Expression = refusing {
    arguments match {
      case model +: inputs => call(ModelCatalog.ofUser(constant(model), _, conf), inputs)
      case _ => throw new UsageException(Explain("tf_predict needs a model.", expected = usage))
    }
  }

  /** `name([options,] [signature,] inputs…)` for a model that the operator registered under `name`.
    */
  def named(name: String, path: String, conf: Configuration)(
      arguments: Seq[Expression]
  ): Expression =
    refusing(call(ModelCatalog.ofName(name, path, _, conf), arguments))

  /** A call of the model that `find` returns; its arguments may begin with options and a signature.
    */
  def call(find: ScoreOptions => LocatedModel, arguments: Seq[Expression]): TfPredict = {
    val (options, rest) = optionsOf(arguments)
    val located = find(options.score)
    val (signature, inputs) = signatureOf(located.model, options, rest)
    callOf(located, options.shaped(signature), inputs, options)
  }

  /** A call of a signature. */
  def callOf(
      located: LocatedModel,
      signature: Signature,
      arguments: Seq[Expression],
      options: CallOptions
  ): TfPredict = {
    OnNull.check(options.score.onNull, signature)
    val columns = CallArguments.of(signature, arguments, options.inOrder)
    val binding = Binding.bind(
      signature,
      columns.expressions.zip(columns.names).map { case (one, name) =>
        ColumnAtHand(name, one.dataType)
      },
      columns.feed,
      options.fetch,
      options.score.binding(options.terms, SQLConf.get.caseSensitiveAnalysis),
      hint = CallArguments.inOrder(signature)
    )
    val made = ModelCall.of(located, signature, binding, options.score.batchSize)
    Notices.say(located.model, binding)
    val labels = if (options.labels.isEmpty) made.labels else options.labels
    TfPredict(
      made.copy(labels = labels),
      binding.inputs.flatMap(_.columns).map(name =>
        columns.expressions(columns.names.indexOf(name))
      )
    )
  }

  /** Convert tfspark's errors to Spark's own errors for a refused query. */
  def refusing[A](body: => A): A =
    try body
    catch {
      case error: TfsparkException => throw refusal(error.getMessage, Some(error))
    }

  /** The error for a refused query; its class prints only the message. */
  def refusal(message: String, cause: Option[Throwable] = None): AnalysisException =
    new AnalysisException(
      "_LEGACY_ERROR_TEMP_1332",
      Map("errorMessage" -> ForeignText.lines(message)),
      cause
    )

  private val usage = "tf_predict(model, [options,] [signature,] inputs…)"

  private def constant(model: Expression): String = model.dataType match {
    case _: StringType if model.foldable && Option(model.eval()).isDefined => model.eval().toString
    case _ =>
      throw new UsageException(
        Explain(
          "The model of tf_predict has to be known before the query runs.",
          expected = s"a constant string, as in $usage",
          found = model.sql
        )
      )
  }

  /** The options of the first argument if it is a map, which override those of the session, and the
    * remaining arguments.
    */
  private def optionsOf(arguments: Seq[Expression]): (CallOptions, Seq[Expression]) =
    arguments match {
      case map +: rest if map.dataType.isInstanceOf[MapType] =>
        if (!map.foldable) {
          val expected = "a map of constants, as in map('narrow', 'true')"
          val problem = "The options of a model have to be known before the query runs."
          throw new UsageException(Explain(problem, expected = expected, found = map.sql))
        }
        (OptionTexts.parse(texts(map), BridgeConf.callOptions), rest)
      case _ => (BridgeConf.callOptions, arguments)
    }

  private def texts(map: Expression): Map[String, String] = {
    val kind = MapType(StringType, StringType)
    val found = CatalystTypeConverters
      .convertToScala(Cast(map, kind, Some("UTC")).eval(), kind)
      .asInstanceOf[scala.collection.Map[String, String]]
    val options = Option(found).getOrElse(throw nullOptions("The options are", map)).toMap
    options.find { case (_, value) => Option(value).isEmpty }.foreach { case (name, _) =>
      throw nullOptions(s"The option $name is", map)
    }
    options
  }

  private def nullOptions(what: String, map: Expression): UsageException =
    new UsageException(
      Explain(
        s"$what null.",
        expected = "a map of constants, as in map('narrow', 'true')",
        found = map.sql,
        hint = "leave out what has no value."
      )
    )

  /** The signature named by the options or by a constant string as first argument, and the
    * remaining arguments.
    */
  private def signatureOf(
      model: ModelPackage,
      options: CallOptions,
      arguments: Seq[Expression]
  ): (Signature, Seq[Expression]) = {
    val chosen = model.signature(options.score.signature)
    arguments match {
      case name +: rest if rest.nonEmpty && isText(name) =>
        val text = name.eval().toString
        model.signatures.find(_.name == text) match {
          case Some(signature) => (signature, rest)
          // If the signature has no string input, a constant string can only be the name of a
          // signature.
          case None if !chosen.inputs.exists(_.dtype == "string") => (model.signature(text), rest)
          case None => (chosen, arguments)
        }
      case _ => (chosen, arguments)
    }
  }

  private def isText(expression: Expression): Boolean =
    expression.dataType.isInstanceOf[StringType] && expression.foldable && Option(
      expression.eval()
    ).isDefined
}
