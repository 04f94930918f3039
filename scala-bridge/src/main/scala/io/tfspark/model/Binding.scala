package io.tfspark.model

import io.tfspark.error._
import org.apache.spark.sql.types._

/** One input and the columns that feed it: one column, or scalar columns stacked in order.
  *
  * @param nulls what happens to a null in them
  */
final case class InputBinding(
    spec: TensorSpec,
    columns: Seq[String],
    nulls: NullRule = NullRule()
) {

  /** The row of its type in the table; a bound input always has one. */
  def dtype: DType = DType.of(spec.dtype).getOrElse(throw new IllegalStateException(spec.toString))

  /** Whether several scalar columns make one vector. */
  def isStacked: Boolean = columns.size > 1
}

/** One output, the column it becomes and that column's type. */
final case class OutputBinding(spec: TensorSpec, column: String, sql: DataType) {

  /** The row of its type in the table; a bound output always has one. */
  def dtype: DType = DType.of(spec.dtype).getOrElse(throw new IllegalStateException(spec.toString))
}

/** A checked plan: which columns feed which inputs, which outputs become which columns.
  * Serialisable.
  *
  * @param batchDimension the rows that every batch must have; nothing for any number
  * @param rowByRow whether the model runs once for each row, without a batch dimension; the specs
  *   of inputs and outputs then have an added dimension 0
  * @param rounded columns whose numbers are rounded to the model's precision, each in words
  * @param warnings what the user should know of how this model scores rows
  * @param terms how the caller spells options
  * @param onError what happens to a bad row
  */
final case class Binding(
    inputs: Seq[InputBinding],
    outputs: Seq[OutputBinding],
    batchDimension: Option[Int],
    rowByRow: Boolean = false,
    rounded: Seq[String] = Nil,
    warnings: Seq[String] = Nil,
    terms: Terms = Terms.Scala,
    onError: OnError = OnError.Raise
) {

  /** The columns that are fed, each once, in order of first use. */
  def columns: Seq[String] = inputs.flatMap(_.columns).distinct

  /** The column that says why a row is bad, after the outputs; nothing for no such column. */
  def reason: Option[String] = onError.reason

  /** Whether a call gives a struct: several outputs, or a reason. */
  def isStruct: Boolean = outputs.size > 1 || reason.isDefined

  /** The type of a call: the type of its only output, or a struct. */
  def result: DataType =
    if (isStruct)
      StructType(
        outputs.map(one => StructField(one.column, one.sql)) ++
          reason.map(StructField(_, OnError.reasonType))
      )
    else outputs.head.sql
}

/** How values may be converted, and how the caller spells the options.
  *
  * @param narrow whether numbers that may have fractions feed integers, each checked
  * @param binaryStrings whether string outputs become binary columns
  * @param batchRows rows of a run, if the user gave them
  * @param caseSensitive whether names must match the case of columns exactly
  */
final case class BindingOptions(
    narrow: Boolean = false,
    binaryStrings: Boolean = false,
    onNull: OnNull = OnNull.GiveNull,
    batchRows: Option[Int] = None,
    caseSensitive: Boolean = false,
    terms: Terms = Terms.Scala,
    onError: OnError = OnError.Raise
)

/** The binding of a signature to columns: every user error about names, types and lengths, at once.
  * Driver.
  *
  * Names come from the signature, never from graph nodes; what can be refused from types alone is
  * refused here, so that only values can fail later. The rules and the words are those of Python's
  * `tfspark.schema`.
  */
object Binding {

  /** Columns that a message lists. */
  private[model] val Shown = 30

  /** Check a signature against columns.
    *
    * @param feed input → columns to stack into one vector, or one column; by default, an input
    *   takes the column with its name, and a single input takes the only column of a suitable type
    * @param fetch output → new column; by default, all outputs under their own names
    * @param taken columns that will be kept beside the predictions
    * @param hint the next step for the caller, in place of the usual one
    */
  def bind(
      own: Signature,
      columns: Seq[ColumnAtHand],
      feed: Map[String, Seq[String]] = Map.empty,
      fetch: Option[Seq[(String, String)]] = None,
      options: BindingOptions = BindingOptions(),
      taken: Seq[String] = Nil,
      hint: String = ""
  ): Binding = {
    val signature = if (own.isRowByRow) own.byRows else own
    val binder = new InputBinder(signature, columns, feed, options)
    val inputs = binder.bind()
    val bound = inputs.flatMap(_.toSeq)
    val fixed = signature.inputs.flatMap(_.batchDimension).distinct.sorted
    val disagree = Option.when(fixed.size > 1)(
      s"the inputs disagree on the fixed number of rows of a batch: ${fixed.mkString(", ")}"
    )
    val rows = fixed.headOption.filter(_ => fixed.size == 1)
    // Of batches of any other size than 1, the last may have fewer rows.
    val one = options.batchRows.filter(_ == 1).map(_.toLong)
    val outputs = new OutputBinder(signature, options, rows.orElse(one)).bind(fetch, taken)
    val problems = unknown("feed", "input", feed.keys, signature.inputs.map(_.name)) ++
      fedTwice(signature) ++
      inputs.flatMap(_.left.toSeq.flatten) ++ Fills.misfits(bound, columns) ++ disagree ++
      outputs.flatMap(_.left.toSeq) ++
      takenReason(options.onError.reason, taken ++ outputs.flatMap(_.toSeq).map(_.column))
    if (problems.nonEmpty) {
      val next = if (hint.isEmpty) byName(signature, options.terms) else hint
      throw misfit(signature, problems, s"$next Available columns: ${describe(columns)}.")
    }
    Binding(
      bound,
      outputs.flatMap(_.toSeq),
      rows.map(_.toInt),
      own.isRowByRow,
      bound.flatMap(binder.rounded),
      RowWarnings.of(own, options, outputs.flatMap(_.toSeq).map(_.spec.name)),
      options.terms,
      options.onError
    )
  }

  /** The error of a signature whose inputs do not fit the columns. */
  private[tfspark] def misfit(
      signature: Signature,
      problems: Seq[String],
      hint: String = ""
  ): BindingException =
    new BindingException(
      Explain.all(s"Signature '${signature.name}' does not fit the columns", problems, hint)
    )

  /** Say which inputs are the same tensor; a session accepts each tensor only once. */
  private def fedTwice(signature: Signature): Seq[String] =
    signature.inputs.groupBy(_.tensor).values.toSeq.filter(_.sizeIs > 1).map { same =>
      s"inputs ${Explain.listing(same.map(_.name))} are the same tensor of the graph, so " +
        "TensorFlow takes one value for them; export the model with one input"
    }

  /** Say that the reason column has the name of another column. */
  private def takenReason(reason: Option[String], taken: Seq[String]): Seq[String] =
    reason.toSeq.flatMap { name =>
      taken.filter(_.equalsIgnoreCase(name)).map(same =>
        s"reason is '$name', and the column '$same' already exists"
      )
    }

  private def byName(signature: Signature, terms: Terms): String = {
    val input = signature.inputs.headOption.fold("INPUT")(_.name)
    s"bind by name, such as ${terms.feeding(input, "COLUMN")}."
  }

  private def describe(columns: Seq[ColumnAtHand]): String = {
    val texts = columns.map(column => s"${column.name} ${column.label}")
    if (texts.isEmpty) "none" else Explain.shortened(texts, Shown).mkString(", ")
  }

  /** Names that an option gives and the signature does not have. */
  private[model] def unknown(
      option: String,
      kind: String,
      named: Iterable[String],
      known: Seq[String]
  ): Seq[String] =
    named.toSeq.filterNot(known.contains).map { name =>
      s"$option names '$name', which is not an $kind of the signature " +
        s"(${Explain.listing(known)})." +
        Explain.didYouMean(name, known)
    }

  /** Say why no column can be converted to or from a tensor of this type. */
  private[model] def unusable(spec: TensorSpec): Option[String] =
    DType
      .unsupported(spec.dtype)
      .map(reason => s"type ${spec.dtype} cannot pass between Spark and a model: $reason")
}
