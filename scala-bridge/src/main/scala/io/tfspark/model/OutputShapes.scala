package io.tfspark.model

import io.tfspark.error._

/** Applies output shapes that the user gives, because the SavedModel leaves them open: output →
  * shape of one row, or the whole shape if the model runs row by row. Driver.
  */
object OutputShapes {

  private val hint =
    "give each output the shape of one row, without the batch dimension: () for a number, " +
      "(3,) for a vector of three, None for a size that varies."

  /** The signature with these shapes; sizes in the SavedModel are kept. */
  def apply(signature: Signature, shapes: Map[String, Shape]): Signature = {
    val lead = if (signature.isRowByRow) Nil else Seq(None)
    val wanted = shapes.view.mapValues(lead ++ _).toMap
    val known = signature.outputs.map(_.name)
    val problems = wanted.keys.toSeq.filterNot(known.contains).map { name =>
      s"output_shapes names '$name', which is not an output of the signature " +
        s"(${Explain.listing(known)}).${Explain.didYouMean(name, known)}"
    } ++ signature.outputs.flatMap(spec => wanted.get(spec.name).flatMap(misfit(spec, _)))
    if (problems.nonEmpty)
      throw new BindingException(Explain.all(
        s"The output shapes do not fit signature '${signature.name}'",
        problems,
        hint
      ))
    signature.copy(outputs = signature.outputs.map(completed(_, wanted)))
  }

  /** The signature, its open shapes completed by those of a session's setting. Names without an
    * output are ignored, because they may be meant for another model.
    */
  def whereUnknown(signature: Signature, shapes: Map[String, Shape]): Signature = {
    val open = signature.outputs.filter(_.shape.isEmpty).map(_.name).toSet
    apply(signature, shapes.filter { case (name, _) => open(name) })
  }

  private def misfit(spec: TensorSpec, wanted: Shape): Option[String] =
    spec.shape.filterNot(agree(_, wanted)).map { own =>
      s"output $spec: expected ${TensorSpec.format(own)}, found ${TensorSpec.format(wanted)}"
    }

  private def agree(own: Shape, wanted: Shape): Boolean =
    own.size == wanted.size && own.zip(wanted).forall { case (one, other) =>
      one.isEmpty || other.isEmpty || one == other
    }

  private def completed(spec: TensorSpec, wanted: Map[String, Shape]): TensorSpec =
    wanted.get(spec.name).fold(spec) { shape =>
      val own = spec.shape.getOrElse(shape.map(_ => None))
      spec.copy(shape = Some(own.zip(shape).map { case (one, other) => one.orElse(other) }))
    }
}
