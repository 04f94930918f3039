package io.tfspark.model

/** Warns of models whose rows may affect each other, or that are slow. Driver.
  *
  * Only the signature is known, so a warning says what may happen. The rules and the words are
  * those of Python's `tfspark.row_warnings`.
  */
private[model] object RowWarnings {

  /** Warnings about how the rows of a signature are scored.
    *
    * @param fetched names of the outputs that are fetched
    */
  def of(signature: Signature, options: BindingOptions, fetched: Seq[String]): Seq[String] =
    if (signature.isRowByRow)
      Seq(
        s"signature '${signature.name}' has no dimension for rows: the model runs once for each " +
          "row, which is slow; export it with a batch dimension"
      )
    else
      fixed(signature) ++
        (if (options.batchRows.contains(1) || signature.inputs.exists(isOpen)) Nil
         else signature.outputs.filter(one => fetched.contains(one.name)).flatMap(padded(options)))

  private def fixed(signature: Signature): Seq[String] =
    signature.inputs.flatMap(_.batchDimension).distinct.sorted.filter(_ > 1).map { rows =>
      s"signature '${signature.name}' takes batches of exactly $rows rows: if the model " +
        "mixes the rows of a batch, a prediction depends on its neighbours"
    }

  /** Warn of sizes that no input has, such as the words of the longest text in a batch. */
  private def padded(options: BindingOptions)(spec: TensorSpec): Option[String] =
    spec.shape.filter(_ => isOpen(spec)).map { shape =>
      s"output '${spec.name}' has an open size, ${TensorSpec.format(shape)}, and no input has one: " +
        "if the model pads its results to the longest row of a batch, a prediction depends on " +
        s"its neighbours; ${options.terms.batchSize} scores each row alone"
    }

  /** Whether the size of a row is unknown. */
  private def isOpen(spec: TensorSpec): Boolean = spec.isBatched && spec.rowSize.isEmpty
}
