package io.tfspark.model

import java.util.Locale

import io.tfspark.error._
import org.apache.spark.sql.types._

/** One input and the columns that feed it: one column, or scalar columns stacked in order. */
final case class InputBinding(spec: TensorSpec, columns: Seq[String]) {

  /** The table's row of its type; a bound input always has one. */
  def dtype: DType = DType.of(spec.dtype).getOrElse(throw new IllegalStateException(spec.toString))

  /** Whether several scalar columns make one vector. */
  def isStacked: Boolean = columns.size > 1
}

/** One output, the column it becomes and that column's type. */
final case class OutputBinding(spec: TensorSpec, column: String, sql: DataType) {

  /** The table's row of its type; a bound output always has one. */
  def dtype: DType = DType.of(spec.dtype).getOrElse(throw new IllegalStateException(spec.toString))
}

/** A checked plan: which columns feed which inputs, which outputs become which columns.
  * Serialisable.
  */
final case class Binding(
    inputs: Seq[InputBinding],
    outputs: Seq[OutputBinding],
    batchDimension: Option[Int]
) {

  /** The columns that are fed, each once, in order of first use. */
  def columns: Seq[String] = inputs.flatMap(_.columns).distinct

  /** The type of a call: one output's own, or a struct of several. */
  def result: DataType = outputs match {
    case Seq(one) => one.sql
    case several => StructType(several.map(one => StructField(one.column, one.sql)))
  }
}

/** A column at hand.
  *
  * @param sql its type, or nothing when it cannot be fed
  * @param label what users call its type
  */
final case class ColumnAtHand(name: String, sql: Option[DataType], label: String)

object ColumnAtHand {

  /** A column of a Spark type. */
  def apply(name: String, sql: DataType): ColumnAtHand = {
    val feedable = DType.elementOf(sql)._1 match {
      case _: StringType | BinaryType | BooleanType | FloatType | DoubleType | NullType => true
      case ByteType | ShortType | IntegerType | LongType => true
      case _ => false
    }
    ColumnAtHand(name, Option.when(feedable)(sql), label(sql))
  }

  /** What users call a type; of a type of their own its name, not what it is made of. */
  private def label(sql: DataType): String = sql match {
    case ArrayType(element, _) => s"array<${label(element)}>"
    case own: UserDefinedType[_] => own.simpleString
    case other => other.catalogString
  }

  /** The columns of a schema; of equal names, none can be fed. */
  def of(schema: StructType): Seq[ColumnAtHand] = {
    val times = schema.fieldNames.groupBy(identity).view.mapValues(_.length).toMap
    schema.fields.toSeq.distinctBy(_.name).map { field =>
      if (times(field.name) > 1) ColumnAtHand(field.name, None, s"there ${times(field.name)} times")
      else ColumnAtHand(field.name, field.dataType)
    }
  }
}

/** How values may change on the way: what is refused unless asked for, and the type of string
  * outputs.
  */
final case class BindingOptions(narrow: Boolean = false, binaryStrings: Boolean = false)

/** The binding of a signature to columns: every user error about names, types and lengths, at once.
  * Driver.
  *
  * Names come from the signature, never from graph nodes; what can be refused from types alone is
  * refused here, so that only values can fail later. The rules and the words are those of Python's
  * `tfspark.schema`.
  */
object Binding {

  private val byName =
    "bind by name: feed gives an input its column or columns, fetch an output its column."
  private val shown = 30

  /** Check a signature against columns.
    *
    * @param feed input → columns to stack into one vector, or one column; an input left out takes
    *   the column of its own name, a single input the single column of a fitting type
    * @param fetch output → new column; left out: every output, under its own name
    * @param taken columns that will stand beside the predictions
    * @param hint the next step for who calls
    */
  def bind(
      signature: Signature,
      columns: Seq[ColumnAtHand],
      feed: Map[String, Seq[String]] = Map.empty,
      fetch: Option[Seq[(String, String)]] = None,
      options: BindingOptions = BindingOptions(),
      taken: Seq[String] = Nil,
      hint: String = byName
  ): Binding = {
    val inputs = new InputBinder(signature, columns, feed, options).bind()
    val outputs = OutputBinder.bind(signature, fetch, options, taken)
    val fixed = signature.inputs.flatMap(_.batchDimension).distinct.sorted
    val disagree = Option.when(fixed.size > 1)(
      s"the inputs disagree on the fixed number of rows of a batch: ${fixed.mkString(", ")}"
    )
    val unknown = OutputBinder.unknown("feed", "input", feed.keys, signature.inputs.map(_.name))
    val problems =
      unknown ++ inputs.flatMap(_.left.toSeq.flatten) ++ outputs.flatMap(_.left.toSeq) ++ disagree
    if (problems.nonEmpty)
      throw new BindingException(
        Explain.all(
          s"Signature '${signature.name}' does not fit the columns",
          problems,
          s"$hint Columns at hand: ${describe(columns)}."
        )
      )
    Binding(inputs.flatMap(_.toSeq), outputs.flatMap(_.toSeq), fixed.headOption.map(_.toInt))
  }

  private def describe(columns: Seq[ColumnAtHand]): String = {
    val rest = if (columns.size > shown) Seq(s"and ${columns.size - shown} more") else Nil
    val all = columns.take(shown).map(column => s"${column.name} ${column.label}") ++ rest
    if (all.isEmpty) "none" else all.mkString(", ")
  }

  /** Say why no column at all can pass to or from a tensor of this spec. */
  private[model] def unusable(spec: TensorSpec): Option[String] =
    DType
      .unsupported(spec.dtype)
      .map(reason => s"type ${spec.dtype} cannot pass between Spark and a model: $reason")
      .orElse(
        Option.unless(spec.isBatched)(
          "it is a scalar without a dimension for the rows, so it cannot be a column"
        )
      )
}

/** Binds outputs to columns. */
private[model] object OutputBinder {

  def bind(
      signature: Signature,
      fetch: Option[Seq[(String, String)]],
      options: BindingOptions,
      taken: Seq[String]
  ): Seq[Either[String, OutputBinding]] = {
    val specs = signature.outputs
    val wanted = fetch.getOrElse(specs.map(spec => spec.name -> spec.name))
    val leaveOut = if (fetch.isEmpty && specs.size > 1) "; name only the others in fetch" else ""
    val noOutput = unknown("fetch", "output", wanted.map(_._1), specs.map(_.name)).map(Left(_)) ++
      Option.when(wanted.isEmpty)(Left("fetch names no output"))
    val (_, bound) = wanted.foldLeft((taken, Vector.empty[Either[String, OutputBinding]])) {
      case ((used, done), (name, column)) =>
        specs.find(_.name == name) match {
          case None => (used, done)
          case Some(spec) =>
            val one = output(spec, column, used, options, leaveOut)
            (if (one.isRight) used :+ column else used, done :+ one)
        }
    }
    noOutput ++ bound
  }

  def unknown(
      option: String,
      kind: String,
      named: Iterable[String],
      known: Seq[String]
  ): Seq[String] =
    named.toSeq.filterNot(known.contains).map { name =>
      s"$option names '$name', which is no $kind of the signature (${Explain.listing(known)})." +
        Explain.didYouMean(name, known)
    }

  private def output(
      spec: TensorSpec,
      column: String,
      used: Seq[String],
      options: BindingOptions,
      leaveOut: String
  ): Either[String, OutputBinding] = {
    val same = used.find(_.toLowerCase(Locale.ROOT) == column.toLowerCase(Locale.ROOT))
    val problem = Binding
      .unusable(spec)
      .orElse(noColumnType(spec))
      .map(_ + leaveOut)
      .orElse(same.map(other => s"a column '$other' is there already; rename it with fetch"))
    problem.map(found => s"output $spec: $found").toLeft(OutputBinding(
      spec,
      column,
      columnType(spec, options)
    ))
  }

  private def noColumnType(spec: TensorSpec): Option[String] =
    Option.when(spec.rowShape.isEmpty)(
      "its rank is unknown, so it has no column type; fix the rank with tf.ensure_shape before the export"
    )

  private def columnType(spec: TensorSpec, options: BindingOptions): DataType = {
    val element = DType.of(spec.dtype).fold[DataType](NullType)(_.sql)
    val read = if (element == StringType && options.binaryStrings) BinaryType else element
    DType.nested(read, spec.depth)
  }
}

/** Finds the columns of inputs. */
private[model] class InputBinder(
    signature: Signature,
    columns: Seq[ColumnAtHand],
    feed: Map[String, Seq[String]],
    options: BindingOptions
) {
  private val byName = columns.map(column => column.name -> column).toMap

  def bind(): Seq[Either[Seq[String], InputBinding]] =
    if (signature.inputs.isEmpty)
      Seq(Left(Seq("the signature has no inputs, so there is nothing to score a row with")))
    else
      signature.inputs.map { spec =>
        val found = Binding.unusable(spec).fold(find(spec))(problem => Left(Seq(problem)))
        found.left.map(_.map(misfit => s"input $spec: $misfit")).map(InputBinding(spec, _))
      }

  private def find(spec: TensorSpec): Either[Seq[String], Seq[String]] = {
    def fitting(names: Seq[String], listed: Boolean): Either[Seq[String], Seq[String]] = {
      val problems = misfits(spec, names, options.narrow, listed)
      Either.cond(problems.isEmpty, names, problems)
    }
    feed.get(spec.name) match {
      case Some(names) => fitting(names, listed = true)
      case None if byName.contains(spec.name) => fitting(Seq(spec.name), listed = false)
      case None if signature.inputs.size > 1 =>
        Left(Seq(
          s"no column of that name and no feed for it.${Explain.didYouMean(spec.name, byName.keys)}"
        ))
      case None => findSingle(spec)
    }
  }

  private def findSingle(spec: TensorSpec): Either[Seq[String], Seq[String]] = {
    val names = columns.map(_.name)
    def fit(name: String, narrow: Boolean) =
      misfits(spec, Seq(name), narrow, listed = false).isEmpty
    names.filter(fit(_, options.narrow)) match {
      case Seq(one) => Right(Seq(one))
      case Seq() =>
        val near = if (names.size > 1) names.filter(fit(_, narrow = true)) else names
        val problems =
          near.flatMap(name => misfits(spec, Seq(name), options.narrow, listed = false))
        val nowhere = s"no column of that name and none that fits ${wanted(spec)}"
        Left(if (problems.isEmpty) Seq(nowhere) else problems)
      case several =>
        val listing = Explain.listing(several.take(30))
        Left(Seq(s"no column of that name, and ${several.size} columns fit: $listing"))
    }
  }

  private def misfits(
      spec: TensorSpec,
      names: Seq[String],
      narrow: Boolean,
      listed: Boolean
  ): Seq[String] =
    if (names.isEmpty) Seq("the list of columns is empty")
    else {
      val isStack = names.size > 1
      val found = names.distinct.flatMap(columnMisfit(spec, _, narrow, isStack, listed))
      val open = spec.rowShape.forall(_ == Seq(None))
      val count = Option.when(isStack && !open && !spec.rowSize.contains(names.size.toLong))(
        s"expected ${wanted(spec)}, found ${names.size} columns: ${Explain.listing(names)}"
      )
      found ++ count
    }

  private def columnMisfit(
      spec: TensorSpec,
      name: String,
      narrow: Boolean,
      isStack: Boolean,
      listed: Boolean
  ): Option[String] = byName.get(name) match {
    case None => Some(s"there is no column '$name'.${Explain.didYouMean(name, byName.keys)}")
    case Some(ColumnAtHand(_, None, label)) =>
      Some(s"column '$name' is $label and cannot be fed; cast or rename it first")
    case Some(ColumnAtHand(_, Some(sql), label)) =>
      val (element, depth) = DType.elementOf(sql)
      val target = DType.of(spec.dtype)
      val want = if (isStack) target.fold(spec.dtype)(_.sqlName) else wanted(spec)
      if (isStack && depth > 0)
        Some(s"column '$name' is $label; only scalar columns can be stacked")
      else if (element == NullType) None // a bare NULL or array() takes the type of its input
      else
        target.flatMap(DType.conversion(element, _)) match {
          case Some(how) if isStack || hasDepth(spec, depth, listed) =>
            Option.when(how == Conversion.Narrow && !narrow)(
              s"expected $want, found column '$name' of $label, whose values may not fit " +
                s"${target.fold("")(_.sqlName)}; cast the column, or allow it with the option narrow"
            )
          case _ => Some(s"expected $want, found column '$name' of $label")
        }
  }

  /** Whether a column of that many levels of arrays can hold rows of the input. */
  private def hasDepth(spec: TensorSpec, depth: Int, listed: Boolean): Boolean =
    spec.rowShape match {
      case None => true
      case Some(row) if depth == row.size => true
      // A vector of any length takes a scalar only when a list says that it is to be stacked.
      case Some(row) if depth == 0 => row == Seq(Some(1L)) || (listed && row == Seq(None))
      case Some(row) => depth == 1 && spec.rowSize.isDefined && row.size > 1
    }

  /** Say in Spark's words which column feeds an input. */
  private def wanted(spec: TensorSpec): String = spec.rowShape match {
    case None | Some(Seq()) => spec.sql
    case Some(row) =>
      val either =
        if (row == Seq(Some(1L))) s"${spec.sql} or ${DType.arraysOf(spec.sql, 1)}" else spec.sql
      s"$either of shape ${TensorSpec.format(row)}"
  }
}
