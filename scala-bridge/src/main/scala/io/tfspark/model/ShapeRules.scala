package io.tfspark.model

/** Computes the shape of an operation's result from its operands: one rule per kind of operation.
  * Driver.
  *
  * The rules are equal to TensorFlow's own shape functions and to Python's
  * `tfspark.saved_model.shape_rules`, which tests compare with TensorFlow. They cover the
  * operations that are usual between a known shape and an output of a model; other operations have
  * no rule.
  */
private[model] object ShapeRules {
  private type Rule = Operands => Option[Shape]

  /** The shape of a node's first result; none when no rule gives it. */
  def apply(operands: Operands): Option[Shape] =
    rules.get(operands.node.getOp).flatMap(_(operands))

  private val attribute: Rule = operands =>
    Option.when(operands.node.containsAttr("shape"))(operands.attribute("shape").getShape).flatMap(
      TensorSpec.shapeOf
    )

  private val broadcast: Rule = operands =>
    for {
      left <- operands.shape(0)
      right <- operands.shape(1)
      rank = math.max(left.size, right.size)
      sizes = padded(left, rank).zip(padded(right, rank)).map { case (one, other) =>
        joined(one, other)
      }
      if sizes.forall(_.isDefined)
    } yield sizes.flatten

  private def padded(shape: Shape, rank: Int): Shape =
    Seq.fill(rank - shape.size)(Some(1L)) ++ shape

  /** The size that two dimensions broadcast to; none when they do not broadcast. */
  private def joined(left: Option[Long], right: Option[Long]): Option[Option[Long]] =
    if (left == right || right.contains(1L)) Some(left)
    else if (left.contains(1L)) Some(right)
    else Option.when(left.isEmpty || right.isEmpty)(left.orElse(right))

  private val matMul: Rule = operands => {
    def pair(index: Int) = operands.shape(index).filter(_.size == 2).getOrElse(Seq(None, None))
    val row = pair(0)(if (operands.attribute("transpose_a").getB) 1 else 0)
    val column = pair(1)(if (operands.attribute("transpose_b").getB) 0 else 1)
    Some(Seq(row, column))
  }

  private val reduced: Rule = operands =>
    for {
      shape <- operands.shape(0)
      axes <- operands.values(1)
      kept = if (operands.attribute("keep_dims").getB) Seq(Some(1L)) else Nil
      result <- replaced(shape, axes, kept)
    } yield result

  private val squeezed: Rule = operands =>
    operands.shape(0).flatMap { shape =>
      val list = operands.attribute("squeeze_dims").getList
      if (list.getICount > TensorSpec.MostDimensions) None
      else if (list.getICount > 0)
        replaced(shape, (0 until list.getICount).map(index => Option(list.getI(index))), Nil)
      else Option.unless(shape.contains(None))(shape.filterNot(_.contains(1L)))
    }

  /** A shape with some of its sizes replaced; negative axes count from the end. */
  private def replaced(shape: Shape, axes: Seq[Option[Long]], by: Shape): Option[Shape] = {
    val rank = shape.size
    val chosen =
      axes.flatten.filter(axis => -rank <= axis && axis < rank).map(axis =>
        Math.floorMod(axis, rank)
      ).toSet
    // Otherwise an axis is unknown, out of range or given twice.
    Option.when(chosen.size == axes.size) {
      shape.zipWithIndex.flatMap { case (size, axis) => if (chosen(axis)) by else Seq(size) }
    }
  }

  private val expanded: Rule = operands =>
    for {
      shape <- operands.shape(0)
      axes <- operands.values(1)
      axis <- axes match {
        case Seq(one) => one
        case _ => None
      }
      place = (if (axis < 0) axis + shape.size + 1 else axis).toInt
      if place >= 0 && place <= shape.size
    } yield (shape.take(place) :+ Some(1L)) ++ shape.drop(place)

  private val gathered: Rule = operands =>
    for {
      table <- operands.shape(0)
      indices <- operands.shape(1)
      axes <- if (operands.node.getOp == "Gather") Some(Seq(Some(0L))) else operands.values(2)
      if operands.attribute("batch_dims").getI == 0
      result <- replaced(table, axes, indices)
    } yield result

  private def ops(names: String, rule: Rule): Seq[(String, Rule)] =
    names.stripMargin.split("\\s+").toSeq.filter(_.nonEmpty).map(_ -> rule)

  private val rules: Map[String, Rule] = Seq(
    ops("Placeholder", one => attribute(one).filterNot(one.isLegacy && _.isEmpty)),
    ops("PlaceholderWithDefault VariableV2", attribute),
    ops("EnsureShape", one => one.shape(0).orElse(attribute(one))),
    ops("Const", one => TensorSpec.shapeOf(one.attribute("value").getTensor.getTensorShape)),
    ops("ReadVariableOp", _.variable(0)),
    ops(
      """Identity StopGradient PreventGradient Snapshot CheckNumerics Cast
        |Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Softplus Softsign Softmax LogSoftmax BiasAdd
        |Abs Neg Sign Square Sqrt Rsqrt Exp Expm1 Log Log1p Inv Reciprocal Erf Round Rint Floor
        |Ceil Sin Cos Tan Asin Acos Atan Sinh Cosh LogicalNot IsNan IsInf IsFinite ZerosLike
        |OnesLike ClipByValue StringLower StringUpper StringStrip StringLength AsString
        |StringToNumber StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
        |RegexReplace StaticRegexReplace RegexFullMatch StaticRegexFullMatch EncodeBase64
        |DecodeBase64""",
      _.shape(0)
    ),
    ops(
      """Add AddV2 Sub Mul MulNoNan Div RealDiv DivNoNan FloorDiv FloorMod Mod TruncateDiv
        |TruncateMod Maximum Minimum Pow SquaredDifference Atan2 Greater GreaterEqual Less
        |LessEqual LogicalAnd LogicalOr""",
      broadcast
    ),
    ops("MatMul", matMul),
    ops("ArgMax ArgMin Sum Mean Prod Max Min All Any", reduced),
    ops("ExpandDims", expanded),
    ops("Squeeze", squeezed),
    ops("Reshape", _.values(1).map(_.map(_.filter(_ >= 0)))),
    ops("Gather GatherV2", gathered),
    // The values of other tables may be tensors.
    ops(
      "LookupTableFind LookupTableFindV2",
      one => if (Set("HashTable", "HashTableV2")(one.op(0))) one.shape(1) else None
    )
  ).flatten.toMap
}
