package io.tfspark.jobs

import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.jobs.Arguments._
import io.tfspark.model.{DigestPin, ModelPackage, OnNull, Signature}
import io.tfspark.sql.OptionTexts

/** The flags of `BatchScore`, which are those of `jobs/batch_score.py`. Driver. */
object BatchScoreFlags {
  private val formats = Seq("parquet", "csv", "json", "orc", "avro")
  private val inputFormats = formats :+ "binaryFile"

  private def listed(value: String): Option[String] =
    Option.unless(columns(value).forall(_.nonEmpty))(s"expected COLUMN[,COLUMN…], found '$value'")

  private def feed(value: String): Option[String] =
    isPair(value).orElse(listed(value.drop(value.indexOf('=') + 1)))

  private def digest(value: String): Option[String] =
    Option.unless(DigestPin.isDigest(value))(s"expected 64 hexadecimal digits, found '$value'")

  private def shape(value: String): Option[String] = isPairOrEmpty(value).orElse {
    val sizes = value.drop(value.indexOf('=') + 1).split(',').map(_.trim).filter(_.nonEmpty)
    Option.unless(sizes.forall(size => size == "None" || size.matches("[0-9]{1,18}")))(
      s"expected OUTPUT=SIZE,…, found '$value'"
    )
  }

  /** In the order of the help. */
  val all: Seq[Flag] = Seq(
    Flag("model", "DIR", "export dir or base path, or URI"),
    Flag("version", "VERSION", "version folder (default: newest)", check = positive),
    Flag(
      "model-sha256",
      "DIGEST",
      "digest that the model must have; a model with another digest is refused",
      check = digest
    ),
    Flag("signature", "NAME", "default: serving_default"),
    Flag(
      "engine",
      "ENGINE",
      "auto or native, which are one in the JVM",
      check = choice("auto", "native")
    ),
    Flag(
      "distribute",
      "HOW",
      "how the model reaches the workers: auto, broadcast or path (default: auto)",
      check = choice("auto", "broadcast", "path")
    ),
    Flag("batch-size", "ROWS", "rows per call", check = positive),
    Flag("tags", "TAG[,TAG…]", "tag set of the graph (default: serve)", check = listed),
    Flag(
      "allow-ops",
      "OP[,OP…]",
      "operations that the model may contain although they touch files, the network, other " +
        "processes or Python, such as ReadFile (default: none)",
      check = listed
    ),
    Flag(
      "output-shape",
      "OUTPUT=[SIZE,…]",
      "shape of one row of an output whose rank the model does not tell: y= for a number, y=3,None for a matrix of " +
        "three rows",
      true,
      shape
    ),
    Flag(
      "feed",
      "INPUT=COLUMN[,COLUMN…]",
      "which column, or scalar columns to stack, feed an input",
      true,
      feed
    ),
    Flag(
      "fetch",
      "OUTPUT=COLUMN",
      "which outputs become which columns (default: all)",
      true,
      isPair
    ),
    Flag(
      "keep",
      "COLUMN[,COLUMN…]",
      "input columns to write beside the predictions (default: all)",
      check = listed
    ),
    Flag(
      "constant",
      "INPUT=VALUE",
      "a value that feeds an input in every row, such as k=3",
      true,
      isPairOrEmpty
    ),
    Flag("narrow", "", "allow numbers that may have fractions to feed integers, each checked"),
    Flag(
      "strings",
      "TYPE",
      "string or binary (default: string)",
      check = choice("string", "binary")
    ),
    Flag(
      "on-null",
      "WHAT",
      "whether a row with null in an input gives null or ends the job: null or error (default: null)",
      check = choice("null", "error")
    ),
    Flag(
      "fill-null",
      "INPUT=VALUE",
      "what feeds an input in place of null, such as Age=nan or Cabin=",
      true,
      isPairOrEmpty
    ),
    Flag("input", "PATH", "path, glob or URI to read"),
    Flag("input-table", "TABLE", "table or view to read, Hive's included"),
    Flag(
      "input-format",
      "FORMAT",
      s"${inputFormats.mkString(", ")} (default: parquet); csv has a header line and types found in the data, and a " +
        "broken record of csv or json ends the job, unless --option says otherwise",
      check = choice(inputFormats: _*)
    ),
    Flag("option", "K=V", "option of Spark's reader", true, isPair),
    Flag("output", "PATH", "folder to write, as a path or URI"),
    Flag("output-table", "TABLE", "table to write, such as db.scores"),
    Flag(
      "output-format",
      "FORMAT",
      s"${formats.mkString(", ")} (default: parquet)",
      check = choice(formats: _*)
    ),
    Flag("output-option", "K=V", "option of Spark's writer", true, isPair),
    Flag(
      "partition-by",
      "COLUMN[,COLUMN…]",
      "columns by whose values Spark puts the rows into folders",
      check = listed
    ),
    Flag(
      "mode",
      "MODE",
      "what to do when the output exists: error, overwrite or append (default: error)",
      check = choice("error", "overwrite", "append")
    ),
    Flag(
      "report",
      "PATH",
      "where the JSON report goes (default: _tfspark_report_<run>.json in the output folder, or in the working " +
        "directory for a table)"
    ),
    Flag(
      "path",
      "PATH",
      "auto or spark, which are one in the JVM",
      check = choice("auto", "spark")
    ),
    Flag("dry-run", "", "check everything, print the plan, stop")
  )

  /** What `--help` prints. */
  def help: String = {
    val lines = all.map { flag =>
      val value = if (flag.value.isEmpty) "" else s" ${flag.value}"
      val again = if (flag.isRepeatable) "; repeatable" else ""
      s"  --${flag.name}$value\n        ${flag.help}$again"
    }
    s"""usage: BatchScore --model DIR (--input PATH | --input-table TABLE) (--output PATH | --output-table TABLE) […]
       |
       |Score every row of a dataset with a TensorFlow SavedModel, in the JVM.
       |
       |${lines.mkString("\n")}
       |
       |Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 73 output exists.""".stripMargin
  }

  /** Parse the command line into a job. */
  def parse(words: Seq[String]): BatchJob = {
    val found = Arguments.parse(all, words)
    def one(first: String, second: String) = (found.get(first), found.get(second)) match {
      case (None, None) =>
        throw new UsageException(s"one of the arguments --$first --$second is required")
      case (Some(_), Some(_)) =>
        throw new UsageException(s"argument --$second: not allowed with argument --$first")
      case both => both
    }
    val model = found.get(
      "model"
    ).getOrElse(throw new UsageException("the following arguments are required: --model"))
    val (input, inputTable) = one("input", "input-table")
    val (output, outputTable) = one("output", "output-table")
    val constants = found.pairs("constant").toMap
    val feed = found.pairs("feed").map { case (name, value) => name -> columns(value) }.toMap
    val both = constants.keys.filter(feed.contains)
    if (both.nonEmpty)
      throw new UsageException(Explain(
        s"The input ${Explain.listing(both)} has both a column and a constant.",
        hint = "leave out --feed or --constant."
      ))
    BatchJob(
      model = model,
      source = Dataset(
        input,
        inputTable,
        found.getOrElse("input-format", "parquet"),
        found.pairs("option").toMap
      ),
      target =
        Dataset(
          output,
          outputTable,
          found.getOrElse("output-format", "parquet"),
          found.pairs("output-option").toMap,
          found.get("partition-by").fold(Seq.empty[String])(columns)
        ),
      mode = found.getOrElse("mode", "error"),
      feed = feed,
      fetch = found.pairs("fetch"),
      keep = found.get("keep").map(columns),
      report = found.get("report"),
      distribute = found.get("distribute"),
      constants = constants,
      isDryRun = found.has("dry-run"),
      options = options(found)
    )
  }

  private def options(found: Arguments): ScoreOptions = {
    val fills = found.pairs("fill-null").toMap
    if (fills.nonEmpty && found.has("on-null"))
      throw new UsageException("argument --fill-null: not allowed with argument --on-null")
    val refuses = found.get("on-null").contains("error")
    ScoreOptions(
      version = found.get("version").map(_.toLong),
      signature = found.getOrElse("signature", Signature.Default),
      batchSize = found.get("batch-size").map(_.toInt),
      narrow = found.has("narrow"),
      binaryStrings = found.get("strings").contains("binary"),
      tags = found.get("tags").fold(ModelPackage.DefaultTags)(columns),
      allowOps = found.get("allow-ops").fold(Seq.empty[String])(columns),
      outputShapes = found.pairs("output-shape").map { case (name, sizes) =>
        name -> OptionTexts.shape("--output-shape", sizes)
      }.toMap,
      onNull =
        if (fills.nonEmpty) OnNull.FillEach(fills)
        else if (refuses) OnNull.Refuse
        else OnNull.GiveNull,
      sha256 = found.get("model-sha256")
    )
  }
}
