package io.tfspark.jobs

import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.model.{DigestPin, ModelPackage, OnNull, Signature}
import io.tfspark.sql.OptionTexts

/** The flags of `BatchScore`, in the words of `jobs/README.md`. Driver. */
object BatchScoreFlags {
  private val formats = "parquet|csv|json|orc|avro"

  private val model = Seq(
    Flag(
      "model",
      "DIR",
      "export dir or base path of the model, as a path or URI",
      isRequired = true
    ),
    Flag("version", "NUMBER", "version folder (default: the newest)", Flag.positive),
    Flag("signature", "NAME", "signature of the model (default: serving_default)"),
    Flag("tags", "TAG[,TAG…]", "tag set of the graph (default: serve)", Flag.isList),
    Flag(
      "model-sha256",
      "DIGEST",
      "digest that the model must have; a model with another digest is refused",
      digest
    ),
    Flag(
      "allow-ops",
      "OP[,OP…]",
      "operations that the model may contain although they touch files, the network, other " +
        "processes or Python, such as ReadFile (default: none)",
      Flag.isList
    ),
    Flag(
      "output-shape",
      "OUTPUT=[SIZE,…]",
      "shape of one row of an output of unknown rank: y= is one number, " +
        "y=3,None an array of 3 arrays of any length",
      shape
    ),
    Flag("engine", "auto|native", "engine that runs the model (default: auto)"),
    Flag(
      "distribute",
      "auto|broadcast|path",
      "how the model reaches the workers (default: auto)"
    ),
    Flag(
      "batch-size",
      "ROWS",
      "rows per call of the model (default: as many as run fastest)",
      Flag.positive
    )
  )

  private val columns = Seq(
    Flag(
      "feed",
      "INPUT=COLUMN[,COLUMN…]",
      "column that feeds an input, or scalar columns that are stacked (default: by name)",
      feed
    ),
    Flag(
      "constant",
      "INPUT=VALUE",
      "a value that feeds an input in every row, such as k=3",
      Flag.isPairOrEmpty
    ),
    Flag(
      "fetch",
      "OUTPUT=COLUMN",
      "which outputs become which columns (default: all, under their names)",
      Flag.isPair
    ),
    Flag(
      "keep",
      "COLUMN[,COLUMN…]",
      "input columns to write beside the predictions (default: all)",
      Flag.isList
    ),
    Flag(
      "narrow",
      "",
      "let double, float or decimal columns feed an input of integers; a row whose value has a " +
        "fraction is then a bad row"
    ),
    Flag("strings", "string|binary", "Spark type of outputs of strings (default: string)"),
    Flag(
      "on-null",
      "null|error",
      "result of a row with a null in an input: null, or error: the row is a bad row (default: null)"
    ),
    Flag(
      "fill-null",
      "INPUT=VALUE",
      "value that replaces null in an input, such as Age=nan or Cabin=",
      Flag.isPairOrEmpty
    )
  )

  private val input = Seq(
    Flag("input", "PATH", "path, glob or URI to read", isAlternative = true),
    Flag(
      "input-table",
      "TABLE",
      "table or view to read, also from Hive",
      isAlternative = true
    ),
    Flag(
      "input-format",
      s"$formats|binaryFile",
      "format of the input; csv has a header line, and its types are inferred from the data; a " +
        "broken record of csv or json ends the job, unless --option says otherwise; binaryFile " +
        "has the columns path, modificationTime, length, content (default: parquet)"
    ),
    Flag("option", "K=V", "option of Spark's reader, such as mode=PERMISSIVE", Flag.isOption),
    Flag(
      "allow-missing",
      "",
      "give null for a column that a Parquet or ORC file lacks (default: refuse the file)"
    )
  )

  private val output = Seq(
    Flag("output", "PATH", "folder to write, as a path or URI", isAlternative = true),
    Flag("output-table", "TABLE", "table to write, such as db.scores", isAlternative = true),
    Flag("output-format", formats, "format of the output (default: parquet)"),
    Flag("output-option", "K=V", "option of Spark's writer", Flag.isOption),
    Flag(
      "partition-by",
      "COLUMN[,COLUMN…]",
      "columns that partition the output into folders",
      Flag.isList
    ),
    Flag(
      "mode",
      "error|overwrite|append",
      "what to do when the output exists (default: error)"
    ),
    Flag(
      "report",
      "PATH",
      "path of the JSON report (default: _tfspark_report_RUN.json in the output folder, or " +
        "in the working directory for a table)"
    ),
    Flag(
      "bad-rows",
      "PATH",
      "folder for rows that cannot be scored, as Parquet with the columns of the input, _reason " +
        "and _input_file (default: the first bad row ends the job)"
    ),
    Flag(
      "max-bad-rows",
      "N[%]",
      "largest number or share of bad rows: with more, the job fails and publishes " +
        "nothing (default: 100%)",
      limit
    ),
    Flag(
      "path",
      "auto|spark",
      "how rows are read and written: spark uses its readers and writers; with direct, the tasks " +
        "read and write the files; auto takes the fastest way that gives the same result " +
        "(default: auto)"
    ),
    Flag(
      "run-id",
      "KEY",
      "key of your choice for this run; if the output has the key marked as done, nothing is run " +
        "(default: none)"
    ),
    Flag("dry-run", "", "check everything, print the plan, stop")
  )

  /** In the order of the help. */
  val all: Seq[Flag] = model ++ columns ++ input ++ output

  /** What `--help` prints. */
  def help: String = Arguments.help(
    "BatchScore --model DIR (--input PATH | --input-table TABLE) " +
      "(--output PATH | --output-table TABLE)",
    "Score every row of a dataset with a TensorFlow SavedModel, in the JVM.",
    all,
    "A flag whose value contains = can be given several times, once for each name.\n" +
      "Exit codes: 0 done, 2 usage, 65 model, data or SQL, 66 no input, 70 a bug, 73 the output " +
      "exists or cannot be created, 74 an I/O error, 75 try again, 130 interrupted, 143 terminated."
  )

  /** Parse the command line into a job. */
  def parse(words: Seq[String]): BatchJob = {
    val found = Arguments.parse(all, words)
    NoEffect.refuse(found)
    val constants = found.pairs("constant").toMap
    val feed = found.pairs("feed").map { case (name, value) => name -> Flag.names(value) }.toMap
    refuseBoth(constants.keys.filter(feed.contains))
    BatchJob(
      model = found.getOrElse("model", ""),
      source = dataset(found, "input", "option"),
      target = dataset(found, "output", "output-option"),
      mode = found.getOrElse("mode", "error"),
      feed = feed,
      fetch = found.pairs("fetch"),
      keep = Option.when(found.has("keep"))(found.names("keep")),
      report = found.get("report"),
      distribute = found.get("distribute"),
      isDryRun = found.has("dry-run"),
      constants = constants,
      allowMissing = found.has("allow-missing"),
      runId = found.getOrElse("run-id", ""),
      badRows = found.get("bad-rows"),
      maxBadRows =
        found.get("max-bad-rows").flatMap(BadRowLimit.of).getOrElse(BadRowLimit.None),
      options = options(found)
    )
  }

  /** The input or the output, which is either a path or a table. */
  private def dataset(found: Arguments, side: String, option: String): Dataset = {
    val (path, table) = (found.get(side), found.get(s"$side-table"))
    if (path.isEmpty && table.isEmpty)
      throw new UsageException(s"one of the arguments --$side --$side-table is required")
    refuseTogether(found, side, s"$side-table")
    Dataset(
      path,
      table,
      found.getOrElse(s"$side-format", "parquet"),
      found.pairs(option).toMap,
      if (side == "output") found.names("partition-by") else Nil
    )
  }

  private def options(found: Arguments): ScoreOptions = {
    refuseTogether(found, "on-null", "fill-null")
    ScoreOptions(
      version = found.get("version").map(_.toLong),
      signature = found.getOrElse("signature", Signature.Default),
      batchSize = found.get("batch-size").map(_.toInt),
      narrow = found.has("narrow"),
      binaryStrings = found.get("strings").contains("binary"),
      tags = if (found.has("tags")) found.names("tags") else ModelPackage.DefaultTags,
      allowOps = found.names("allow-ops"),
      outputShapes = found.pairs("output-shape").map { case (name, sizes) =>
        name -> OptionTexts.shape("--output-shape", sizes)
      }.toMap,
      onNull = onNull(found),
      sha256 = found.get("model-sha256")
    )
  }

  private def onNull(found: Arguments): OnNull =
    if (found.has("fill-null")) OnNull.FillEach(found.pairs("fill-null").toMap)
    else if (found.get("on-null").contains("error")) OnNull.Refuse
    else OnNull.GiveNull

  private def refuseTogether(found: Arguments, one: String, other: String): Unit =
    if (found.has(one) && found.has(other))
      throw new UsageException(s"argument --$other: not allowed with argument --$one")

  private def refuseBoth(inputs: Iterable[String]): Unit =
    if (inputs.nonEmpty)
      throw new UsageException(Explain(
        s"The input ${Explain.listing(inputs)} has both a column and a constant.",
        hint = "leave out --feed or --constant."
      ))

  private def feed(value: String): Option[String] =
    Flag.isPair(value).orElse(Flag.isList(Flag.pair(value)._2))

  private def limit(value: String): Option[String] =
    Option.when(BadRowLimit.of(value).isEmpty)(
      s"expected a number or a share of rows, such as 10 or 1%, found '$value'"
    )

  private def digest(value: String): Option[String] =
    Option.unless(DigestPin.isDigest(value))(s"expected 64 hexadecimal digits, found '$value'")

  private def shape(value: String): Option[String] = Flag.isPairOrEmpty(value).orElse {
    val sizes = Flag.pair(value)._2.split(',').map(_.trim).filter(_.nonEmpty)
    Option.unless(sizes.forall(size => size == "None" || size.matches("[0-9]{1,18}")))(
      s"expected OUTPUT=SIZE,…, found '$value'"
    )
  }
}
