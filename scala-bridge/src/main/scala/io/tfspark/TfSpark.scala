package io.tfspark

import scala.jdk.CollectionConverters._

import io.tfspark.error.Terms
import io.tfspark.model._
import io.tfspark.sql._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Column, DataFrame, SparkSession}

/** The library: a model on the driver, on an RDD, on a DataFrame, as a SQL function. Driver.
  *
  * Paths come from the program itself, so the roots for SQL users do not limit them. Errors in
  * models, names and types are raised at the call.
  */
object TfSpark {

  /** Open a model in this JVM. */
  def open(path: String, options: ScoreOptions = ScoreOptions()): LocalModel =
    new LocalModel(ModelCatalog.at(path, options, new Configuration()), options)

  /** Describe a model without loading it; its signatures give the names of inputs and outputs.
    *
    * @param sha256 the digest that the model must have
    */
  def load(
      path: String,
      version: Option[Long] = None,
      sha256: Option[String] = None
  ): ModelPackage =
    ModelCatalog.described(path, ScoreOptions(version, sha256 = sha256), new Configuration()).model

  /** Score the rows of an RDD. Spark broadcasts the files of the model, never a live model.
    *
    * @param rows each holds one value per input, in the signature's order
    * @return one value per output, in the signature's order, for each row, in order; then the
    *   reason, if `options` name such a column
    */
  def predictRdd(
      rows: RDD[Seq[Any]],
      path: String,
      options: ScoreOptions = ScoreOptions()
  ): RDD[Seq[Any]] =
    RddScorer(rows, path, options)

  /** Score every row of a DataFrame.
    *
    * @param feed input → column, or scalar columns to stack; by default, an input takes the column
    *   with its name, and a single input takes the only column of a suitable type
    * @param fetch output → new column; by default, all outputs under their own names
    * @param keep columns beside the predictions; by default all
    * @param constants input → a literal that feeds it in every row
    */
  def predict(
      df: DataFrame,
      path: String,
      feed: Map[String, Seq[String]] = Map.empty,
      fetch: Seq[(String, String)] = Nil,
      keep: Option[Seq[String]] = None,
      options: ScoreOptions = ScoreOptions(),
      constants: Map[String, Column] = Map.empty
  ): DataFrame = {
    val asked = FrameCall(feed, Option.when(fetch.nonEmpty)(fetch), keep, constants)
    FrameScorer(df, ModelCatalog.at(path, options, HadoopConf.of(df.sparkSession)), asked, options)
      .frame
  }

  /** Register a model as a SQL function of a session: `SELECT name(features) FROM t`, Hive tables
    * included.
    *
    * Its arguments are the inputs sorted by name, the elements of a single vector input, or one
    * struct with a field for each input.
    *
    * @param fetch output → field of the result; by default, all outputs under their own names
    */
  def register(
      spark: SparkSession,
      name: String,
      path: String,
      fetch: Seq[(String, String)] = Nil,
      options: ScoreOptions = ScoreOptions()
  ): Unit =
    SessionFunctions.register(
      spark,
      name,
      ModelCatalog.at(path, options, HadoopConf.of(spark)),
      CallOptions(options, Option.when(fetch.nonEmpty)(fetch), terms = Terms.Scala)
    )

  /** Register a model for a program in Python, which gives its options as texts.
    *
    * @param options see `OptionTexts`
    */
  def registerAs(
      spark: SparkSession,
      name: String,
      path: String,
      options: java.util.Map[String, String]
  ): Unit = {
    // `OptionTexts` also parses the options of SQL users, who may not allow operations.
    val (allowed, texts) = options.asScala.toMap.partition(_._1 == "allow_ops")
    val chosen = OptionTexts.parse(texts, CallOptions())
    val score = chosen.score.copy(allowOps = allowed.values.toSeq.flatMap(_.split(',')))
    val located = ModelCatalog.at(path, score, HadoopConf.of(spark))
    SessionFunctions.register(spark, name, located, chosen)
  }
}
