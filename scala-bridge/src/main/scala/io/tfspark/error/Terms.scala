package io.tfspark.error

/** The caller's spelling of the options that a hint names, so that a hint can be copied as it is.
  * Serialisable.
  *
  * Each is a template: `{input}`, `{output}` and `{column}` stand for names.
  */
final case class Terms(
    feed: String,
    fetch: String,
    narrow: String,
    onNull: String,
    strings: String,
    constant: String,
    outputShape: String,
    batchSize: String,
    tags: String,
    signature: String
) {

  /** Feed an input with a column. */
  def feeding(input: String, column: String): String = fill(feed, input = input, column = column)

  /** Fetch an output as a column. */
  def fetching(output: String, column: String): String =
    fill(fetch, output = output, column = column)

  /** Give an input one value for all rows. */
  def constantOf(input: String): String = fill(constant, input = input)

  /** Give the shape of an output's rows; the example is the shape of one number. */
  def outputShapeOf(output: String): String = fill(outputShape, output = output)

  private def fill(
      template: String,
      input: String = "",
      output: String = "",
      column: String = ""
  ): String =
    template.replace("{input}", input).replace("{output}", output).replace("{column}", column)
}

object Terms {

  /** SQL: entries of the option map after the model, and settings of the session. */
  val Sql: Terms = Terms(
    feed = "named_struct('{input}', {column}, …)",
    fetch = "map('fetch', '{output}={column}')",
    narrow = "map('narrow', 'true') after the model, or CAST in the query",
    onNull = "on_null",
    strings = "map('strings', 'binary') after the model",
    constant = "a literal for {input}",
    outputShape = "map('output_shapes', '{output}=') after the model",
    batchSize = "map('batch_size', '1') after the model",
    tags = "map('tags', '…') after the model",
    signature = "map('signature', '…') after the model"
  )

  /** The batch job. */
  val Flags: Terms = Terms(
    feed = "--feed {input}={column}",
    fetch = "--fetch {output}={column}",
    narrow = "--narrow",
    onNull = "--on-null error",
    strings = "--strings binary",
    constant = "--constant {input}=VALUE",
    outputShape = "--output-shape {output}=",
    batchSize = "--batch-size 1",
    tags = "--tags TAG,…",
    signature = "--signature NAME"
  )

  /** Programs in Scala. */
  val Scala: Terms = Terms(
    feed = """feed = Map("{input}" -> Seq("{column}"))""",
    fetch = """fetch = Seq("{output}" -> "{column}")""",
    narrow = "ScoreOptions(narrow = true)",
    onNull = "ScoreOptions(onNull = OnNull.Refuse)",
    strings = "ScoreOptions(binaryStrings = true)",
    constant = "a literal column for {input}",
    outputShape = """ScoreOptions(outputShapes = Map("{output}" -> Nil))""",
    batchSize = "ScoreOptions(batchSize = Some(1))",
    tags = "ScoreOptions(tags = Seq(…))",
    signature = "ScoreOptions(signature = …)"
  )

  /** Programs in Python that call `predict` or `predict_udf`. */
  val Python: Terms = Terms(
    feed = """feed={"{input}": "{column}"}""",
    fetch = """fetch={"{output}": "{column}"}""",
    narrow = "narrow=True",
    onNull = """on_null="error"""",
    strings = """strings="binary"""",
    constant = """feed={"{input}": value}""",
    outputShape = """output_shapes={"{output}": ()}""",
    batchSize = "batch_size=1",
    tags = "tags=(…)",
    signature = """signature="…""""
  )

  /** SQL that calls a function registered by a Python program. */
  val PythonSql: Terms = {
    def made(option: String) = s"$option in register or predict_udf"
    Python.copy(
      feed = "a struct whose field {input} holds the column {column}",
      fetch = made(Python.fetch),
      narrow = s"${made(Python.narrow)}, or CAST in the query",
      onNull = made(Python.onNull),
      strings = made(Python.strings),
      constant = "a literal for {input}",
      outputShape = made(Python.outputShape),
      batchSize = made(Python.batchSize),
      tags = made(Python.tags),
      signature = made(Python.signature)
    )
  }

  private val byName =
    Map(
      "sql" -> Sql,
      "flags" -> Flags,
      "scala" -> Scala,
      "python" -> Python,
      "python-sql" -> PythonSql
    )

  /** The terms of a name. */
  def of(name: String): Option[Terms] = byName.get(name)
}
