package io.tfspark.sql

import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.model.{DigestPin, OnError, OnNull}
import io.tfspark.score.BatchSize
import org.apache.spark.SparkEnv
import org.apache.spark.sql.internal.SQLConf

/** The settings of the bridge, `spark.tfspark.…`.
  *
  * The operator decides which models may be called and how they travel: these settings are read
  * from the configuration of the application, which `SET` does not change. All other settings are
  * read from the session.
  */
object BridgeConf {

  private val modelPrefix = "spark.tfspark.model."

  /** `spark.tfspark.model.roots`: folders that hold models which any SQL user may call by path. */
  val Roots: String = modelPrefix + "roots"

  /** `spark.tfspark.function.model`: the model of a permanent function without a model argument. */
  val FunctionModel: String = "spark.tfspark.function.model"

  /** Rows per run of a model, if memory allows; by default as many as run fastest. */
  val BatchRows: String = "spark.tfspark.batchSize"

  /** Whether columns that may have fractions feed integers; each value is checked. */
  val Narrow: String = "spark.tfspark.narrow"

  /** Spark type of string outputs: `string` or `binary`. */
  val Strings: String = "spark.tfspark.strings"

  /** What happens to a null: `null`, `error`, a number for all inputs, or `input=value;…`. */
  val OnNulls: String = "spark.tfspark.onNull"

  /** What happens to a bad row: `raise` or `null`. */
  val OnErrors: String = "spark.tfspark.onError"

  /** Shapes of outputs that models leave open: `score=;box=4;tokens=None,3`. */
  val OutputShapes: String = "spark.tfspark.outputShapes"

  /** How a model of the driver's own disk reaches executors: `auto`, `path` or `broadcast`. */
  val Distribute: String = "spark.tfspark.distribute"

  /** Operations that models may contain although they touch more than tensors: `ReadFile,…`. */
  val AllowOps: String = "spark.tfspark.allowOps"

  /** Models that a JVM keeps open, and whose descriptions a driver keeps. */
  val CacheModels: String = "spark.tfspark.cache.models"

  private val pinSuffix = ".sha256"

  /** Registered names and their paths. */
  def registered: Map[String, String] =
    ofModels.filterNot { case (name, _) => name.endsWith(pinSuffix) } - "roots"

  /** The digest to which the operator pins a registered name: `spark.tfspark.model.NAME.sha256`. */
  def pin(name: String): Option[String] = {
    val pins = ofModels.collect {
      case (key, digest) if key.endsWith(pinSuffix) => key.dropRight(pinSuffix.length) -> digest
    }
    val names = registered.keySet
    // A pin whose name is misspelled would protect no model.
    (pins.keySet -- names).headOption.foreach { lost =>
      throw refusal(
        s"$modelPrefix$lost$pinSuffix",
        s"the name of a model (${Explain.listing(names.toSeq.sorted)})",
        lost
      )
    }
    pins.get(name).map(DigestPin.parse(s"$modelPrefix$name$pinSuffix", _))
  }

  private def ofModels: Map[String, String] =
    application(_.getAllWithPrefix(modelPrefix).toMap).getOrElse(Map.empty)

  /** Folders below which a path is accepted. */
  def roots: Seq[String] = static(Roots).toSeq.flatMap(_.split(',')).map(_.trim).filter(_.nonEmpty)

  /** The model of a permanent function without a model argument. */
  def functionModel: Option[String] = static(FunctionModel)

  /** How models travel. */
  def distribute: String =
    oneOf(Distribute, static(Distribute).getOrElse("auto"), Seq("auto", "path", "broadcast"))

  /** Operations that the operator allows. */
  def allowOps: Set[String] =
    static(AllowOps).toSeq.flatMap(_.split(',')).map(_.trim).filter(_.nonEmpty).toSet

  /** Models kept open per JVM. */
  def cacheModels: Int = OptionTexts.positive(CacheModels, static(CacheModels).getOrElse("8"))

  /** Rows per run, from the setting of the session. */
  def batchSize: BatchSize = BatchSize(session(BatchRows).map(OptionTexts.positive(BatchRows, _)))

  /** The options of SQL calls, from the settings of the session. */
  def callOptions: CallOptions = CallOptions(
    ScoreOptions(
      narrow = session(Narrow).exists(OptionTexts.flag(Narrow, _)),
      binaryStrings = session(Strings).exists(OptionTexts.isBinary(Strings, _)),
      onNull = session(OnNulls).fold[OnNull](OnNull.GiveNull)(OptionTexts.onNull(OnNulls, _)),
      onError =
        session(OnErrors).fold[OnError](OnError.Raise)(OptionTexts.onError(OnErrors, _))
    ),
    sessionShapes =
      session(OutputShapes).fold(CallOptions().sessionShapes)(OptionTexts.shapes(OutputShapes, _))
  )

  private def static(key: String): Option[String] = application(_.getOption(key)).flatten

  private def application[A](read: org.apache.spark.SparkConf => A): Option[A] =
    Option(SparkEnv.get).map(env => read(env.conf))

  private def session(key: String): Option[String] =
    Option(SQLConf.get.getConfString(key, "")).filter(_.nonEmpty)

  private def oneOf(key: String, value: String, known: Seq[String]): String =
    if (known.contains(value)) value else throw refusal(key, Explain.listing(known), value)

  private def refusal(key: String, expected: String, found: String): UsageException =
    new UsageException(Explain(
      s"The setting $key has an invalid value.",
      expected = expected,
      found = s"'$found'"
    ))
}
