package io.tfspark

import io.tfspark.model._
import io.tfspark.sql._
import org.apache.hadoop.conf.Configuration
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{DataFrame, SparkSession}

/** Options of the faces.
  *
  * @param version version folder; by default the newest
  * @param batchSize rows per run of the model; by default as many as make about 1 MiB
  * @param narrow allow conversions that may lose a value's precision, each checked
  * @param binaryStrings take string outputs as binary
  */
final case class ScoreOptions(
    version: Option[Long] = None,
    signature: String = Signature.Default,
    batchSize: Option[Int] = None,
    narrow: Boolean = false,
    binaryStrings: Boolean = false
)

/** The library: a model on the driver, on an RDD, on a DataFrame, as a SQL function. Driver.
  *
  * Paths are the program's own words, so that the roots of SQL users do not bind them. What can be
  * wrong about models, names and types is raised at the call.
  */
object TfSpark {

  /** Open a model in this JVM. */
  def open(path: String, options: ScoreOptions = ScoreOptions()): LocalModel = {
    val located = ModelCatalog.at(path, options.version, new Configuration())
    new LocalModel(located, located.model.signature(options.signature))
  }

  /** Describe a model, without loading it: names are found in its signatures. */
  def load(path: String, version: Option[Long] = None): ModelPackage =
    ModelCatalog.at(path, version, new Configuration()).model

  /** Score the rows of an RDD; what travels is a broadcast of the model's files, never a live
    * model.
    *
    * @param rows each holds one value per input, in the signature's order
    * @return one value per output, in the signature's order, for each row, in order
    */
  def predictRdd(
      rows: RDD[Seq[Any]],
      path: String,
      options: ScoreOptions = ScoreOptions()
  ): RDD[Seq[Any]] =
    RddScorer(rows, path, options)

  /** Score every row of a DataFrame.
    *
    * @param feed input → column, or scalar columns to stack; an input left out takes the column of
    *   its own name, a single input the single fitting column
    * @param fetch output → new column; left out, every output under its own name
    * @param keep columns beside the predictions; by default all
    */
  def predict(
      df: DataFrame,
      path: String,
      feed: Map[String, Seq[String]] = Map.empty,
      fetch: Seq[(String, String)] = Nil,
      keep: Option[Seq[String]] = None,
      options: ScoreOptions = ScoreOptions()
  ): DataFrame = {
    val located = ModelCatalog.at(path, options.version, HadoopConf.of(df.sparkSession))
    FrameScorer(df, located, feed, Option.when(fetch.nonEmpty)(fetch), keep, options)
  }

  /** Register a model as a SQL function of a session: `SELECT name(features) FROM t`, Hive tables
    * included.
    *
    * Its arguments are the inputs sorted by name, or the elements of a single vector input.
    *
    * @param fetch output → field of the result; left out, every output under its own name
    * @param labels what errors of rows call the arguments; left out, their positions
    */
  def register(
      spark: SparkSession,
      name: String,
      path: String,
      fetch: Seq[(String, String)] = Nil,
      options: ScoreOptions = ScoreOptions(),
      labels: Seq[String] = Nil
  ): Unit = {
    val located = ModelCatalog.at(path, options.version, HadoopConf.of(spark))
    val signature = located.model.signature(options.signature)
    val fetched = Option.when(fetch.nonEmpty)(fetch)
    SessionFunctions.register(spark, name) { arguments =>
      TfPredictFunction.refusing {
        val made = TfPredictFunction.callOf(
          located,
          signature,
          arguments,
          fetched,
          bindingOptions(options)
        )
        made.copy(call = made.call.copy(batchRows = options.batchSize, labels = labels))
      }
    }
  }

  private[tfspark] def bindingOptions(options: ScoreOptions): BindingOptions =
    BindingOptions(options.narrow, options.binaryStrings)
}
