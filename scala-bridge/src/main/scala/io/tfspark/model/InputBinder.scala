package io.tfspark.model

import io.tfspark.error._

/** Finds the columns of inputs, and explains why other columns cannot feed them. Driver. */
private[model] class InputBinder(
    signature: Signature,
    columns: Seq[ColumnAtHand],
    feed: Map[String, Seq[String]],
    options: BindingOptions
) {
  private val fit = new ColumnFit(options.terms)
  private val byName = columns.map(column => column.name -> column).toMap

  def bind(): Seq[Either[Seq[String], InputBinding]] =
    if (signature.inputs.isEmpty)
      Seq(Left(Seq("the signature has no inputs, so it cannot score rows")))
    else
      signature.inputs.map { spec =>
        val found = Binding.unusable(spec).fold(find(spec))(problem => Left(Seq(problem)))
        found.left.map(_.map(misfit => s"input $spec: $misfit")).map(names =>
          InputBinding(spec, names, options.onNull.rule(spec).copy(option = options.terms.onNull))
        )
      }

  /** Messages about the columns of an input that are rounded to the model's precision. */
  def rounded(bound: InputBinding): Seq[String] =
    bound.columns.distinct.map(byName).filter(
      ColumnFit.conversion(bound.spec, _).contains(Conversion.Round)
    ).map(column => s"column '${column.name}' ${column.label} → ${bound.spec.dtype}")

  private def find(spec: TensorSpec): Either[Seq[String], Seq[String]] = {
    def fitting(names: Seq[String], listed: Boolean): Either[Seq[String], Seq[String]] = {
      val problems = misfits(spec, names, options.narrow, listed)
      Either.cond(problems.isEmpty, names, problems)
    }
    feed.get(spec.name) match {
      case Some(names) => fitting(names.map(name => resolved(name).getOrElse(name)), listed = true)
      case None => resolved(spec.name) match {
          case Some(own) => fitting(Seq(own), listed = false)
          case None if !spec.isBatched =>
            val hint = options.terms.constantOf(spec.name)
            Left(Seq(s"it is a scalar, the same for every row: give it a value with $hint"))
          case None if signature.inputs.count(_.isBatched) > 1 =>
            val near = Explain.didYouMean(spec.name, byName.keys)
            Left(Seq(s"no column of that name and no feed for it.$near"))
          case None => findSingle(spec)
        }
    }
  }

  private def resolved(name: String): Option[String] =
    ColumnAtHand.resolve(name, columns.map(_.name), options.caseSensitive)

  /** The one column that fits the only input; columns that need no rounding are preferred. */
  private def findSingle(spec: TensorSpec): Either[Seq[String], Seq[String]] = {
    def misfitsOf(column: ColumnAtHand, narrow: Boolean) =
      misfits(spec, Seq(column.name), narrow, listed = false)
    val fitting = columns.filter(misfitsOf(_, options.narrow).isEmpty)
    val exact = fitting.filter(ColumnFit.keepsValues(spec, _))
    (if (exact.isEmpty) fitting else exact).map(_.name) match {
      case Seq(one) => Right(Seq(one))
      case Seq() =>
        val near =
          if (columns.size > 1) columns.filter(misfitsOf(_, narrow = true).isEmpty) else columns
        val problems = near.flatMap(misfitsOf(_, options.narrow))
        val nowhere = s"no column of that name and none that fits ${ColumnFit.wanted(spec)}"
        Left(if (problems.isEmpty) Seq(nowhere) else problems)
      case several =>
        val listing = Explain.listing(several.take(Binding.Shown))
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
      val found = names.distinct.flatMap { name =>
        byName.get(name) match {
          case None => Some(s"there is no column '$name'.${Explain.didYouMean(name, byName.keys)}")
          case Some(column) => fit.misfit(spec, column, narrow, isStack, listed)
        }
      }
      val open = spec.rowShape.forall(_ == Seq(None))
      val count = Option.when(isStack && !open && !spec.rowSize.contains(names.size.toLong)) {
        s"expected ${ColumnFit.wanted(spec)}, found ${names.size} columns: ${Explain.listing(names)}"
      }
      found ++ count
    }
}
