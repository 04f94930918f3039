package io.tfspark.score

import scala.util.Using

import io.tfspark.engine._
import io.tfspark.error._
import io.tfspark.model._
import io.tfspark.tensor._
import org.apache.spark.sql.execution.vectorized.WritableColumnVector

/** Runs groups of rows through a model and writes the results into column vectors. Executor, one
  * thread.
  *
  * A batch that does not fit into memory is halved until it does. A batch that the model refuses is
  * bisected to find the row that the error names, or all rows that are set aside. A model with a
  * fixed batch dimension gets exactly that many rows: the last batch is padded, and its result cut.
  * A model without a dimension for rows runs once for each row.
  *
  * @param first number in the partition of the row that an index of a group counts from
  */
final private[score] class GroupRunner(
    runner: SignatureRunner,
    binding: Binding,
    origin: Origin,
    metrics: ScoreMetrics,
    rejects: Rejects
) {
  private val decoders = binding.outputs.map(new OutputDecoder(_, binding.terms.strings))
  private var widest: Option[Long] = None

  /** The most bytes that the outputs of a row had, on average in one run; none before a run. */
  def outputBytes: Option[Long] = widest

  /** Score a group.
    *
    * @param vectors one per output
    */
  def score(group: Group, vectors: Seq[WritableColumnVector], first: Long): Unit = {
    val step = if (binding.rowByRow) 1 else binding.batchDimension.getOrElse(group.size)
    (0 until group.size by step).foreach { from =>
      scorePart(Part(group, from, math.min(from + step, group.size)), vectors, first)
    }
  }

  private def scorePart(part: Part, vectors: Seq[WritableColumnVector], first: Long): Unit =
    try
      attempt(part, vectors, first).foreach { error =>
        if (!rejects.areAllowed) throw error
        setAside(part, error, vectors, first)
      }
    catch {
      case error: NativeException
          if error.isOutOfMemory && part.size > 1 && binding.batchDimension.isEmpty =>
        part.halves.foreach(scorePart(_, vectors, first))
      case error: NativeException => throw named(part, error, first)
    }

  /** Score a part, or return what the model says if a row can be the cause. */
  private def attempt(
      part: Part,
      vectors: Seq[WritableColumnVector],
      first: Long
  ): Option[NativeException] = attempt(part)(decode(part, _, vectors, first))

  private def attempt(part: Part)(use: Map[String, NativeTensor] => Unit): Option[NativeException] =
    try {
      run(part)(use)
      None
    } catch { case error: NativeException if error.isAboutRow => Some(error) }

  /** Set aside the rows that the model refuses, and score the others. */
  private def setAside(
      part: Part,
      error: NativeException,
      vectors: Seq[WritableColumnVector],
      first: Long
  ): Unit = {
    val search = new Search[NativeException](
      part.size,
      (start, stop) => attempt(part.slice(start, stop))(_ => ()),
      (rows, other) => attempt(part.replacing(rows, other), vectors, first)
    )
    val refused = search.refusedRows(error)
    if (refused.isEmpty) throw error
    refused.foreach { case (row, found) =>
      val problem = s"${GroupRunner.refusal}: ${found.getMessage}"
      rejects.add(new RowProblem(ReasonCode.ModelRefused, "", problem), part.row(row), first)
    }
  }

  private def run[A](part: Part)(use: Map[String, NativeTensor] => A): A = {
    val started = System.nanoTime()
    try
      Using.Manager { manage =>
        val tensors =
          part.group.inputs.indices.map(input => manage(part.tensor(input, fedRows(part))))
        runner.run(tensors)(use)
      }.get
    finally metrics.ran(part.size, System.nanoTime() - started)
  }

  /** The rows that are fed; nothing when the model takes no dimension for them. */
  private def fedRows(part: Part): Option[Int] =
    Option.unless(binding.rowByRow)(binding.batchDimension.getOrElse(part.size))

  private def decode(
      part: Part,
      outputs: Map[String, NativeTensor],
      vectors: Seq[WritableColumnVector],
      first: Long
  ): Unit = {
    // Vectors are written after all outputs were checked, so that a batch is never written in part.
    val tensors =
      binding.outputs.map(output => fitting(output, outputs.get(output.spec.name), part, first))
    val inOrder = part.row(part.size - 1) - part.row(0) == part.size - 1
    val bytes = decoders.lazyZip(tensors).lazyZip(vectors).map { (decoder, tensor, vector) =>
      val rowShape = if (binding.rowByRow) tensor.shape else tensor.shape.drop(1)
      val perRow = math.max(1L, rowShape.product)
      decoder.decode(tensor, rowShape, part.size, vector, part.row, inOrder) { (element, problem) =>
        val row = (element / perRow).toInt
        if (!part.isReplaced(row)) rejects.add(problem, part.row(row), first)
      }
    }
    widest = Some(math.max(widest.getOrElse(0L), bytes.sum / part.size))
  }

  private def fitting(
      output: OutputBinding,
      found: Option[NativeTensor],
      part: Part,
      first: Long
  ): NativeTensor = {
    val spec = output.spec
    def refuse(problem: String): Nothing =
      throw new EngineException(s"${place(part, first)}: $problem")
    val tensor = found.getOrElse(refuse(s"the engine gave no output '${spec.name}'"))
    val wanted: Shape =
      fedRows(part).map(rows => Option(rows.toLong)).toSeq ++ spec.rowShape.getOrElse(Nil)
    val fits = tensor.shape.size == wanted.size &&
      tensor.shape.zip(wanted).forall { case (size, expected) => expected.forall(_ == size) }
    if (!fits || tensor.number != output.dtype.number)
      refuse(
        Explain(
          s"output '${spec.name}' is not what its signature says.",
          expected = s"${spec.dtype} ${TensorSpec.format(wanted)}",
          found = s"${DType.nameOf(tensor.number)} ${TensorSpec.format(tensor.shape.map(Some(_)))}",
          hint = "fetch other outputs only, or export a function that keeps the batch dimension."
        )
      )
    GroupRunner.tooLarge(output, tensor.shape).foreach(refuse)
    tensor
  }

  /** The error of a failed batch, with the row that causes it, if there is one. */
  private def named(part: Part, error: NativeException, first: Long): TfsparkException =
    try
      culprit(part, error) match {
        case Some(row) =>
          val at = origin.ofRow(first + row)
          val words = origin.rows.inWords(first + row)
          val problem = s"${GroupRunner.refusal}: ${error.getMessage}$words"
          new RowException(s"$at: $problem\nHint: ${Rejects.fix}", Some(error))
        case None =>
          val alone =
            if (!error.isAboutRow || part.size == 1 || binding.batchDimension.isDefined) ""
            else s"\nHint: each row works alone; score with ${binding.terms.batchSize}."
          failed(part, error, first, alone)
      }
    catch { case other: NativeException => failed(part, other, first) }

  private def failed(
      part: Part,
      error: NativeException,
      first: Long,
      hint: String = ""
  ): EngineException =
    new EngineException(s"${place(part, first)}: ${error.inWords}$hint", Some(error))

  /** The row to blame; nothing when no row can be the cause, or none fails on its own. */
  private def culprit(part: Part, error: NativeException): Option[Int] =
    if (error.isAboutRow && !rejects.areAllowed) firstFailing(part) else None

  /** Find by bisection a row that the model refuses on its own; nothing when there is none. */
  private def firstFailing(part: Part): Option[Int] =
    if (part.size == 1) Option.when(fails(part))(part.row(0))
    else part.halves.find(fails).orElse(part.halves.lastOption).flatMap(firstFailing)

  private def fails(part: Part): Boolean = attempt(part)(_ => ()).isDefined

  private def place(part: Part, first: Long): String =
    origin.at(s"rows ${first + part.row(0)} to ${first + part.row(part.size - 1)}")
}

private[score] object GroupRunner {

  /** The problem of an output that is too large for a Java array, if it is. */
  private[score] def tooLarge(output: OutputBinding, shape: Seq[Long]): Option[String] = {
    val most = (Int.MaxValue - 16) / math.max(1, output.dtype.width)
    Option.when(shape.product > most)(
      Explain(
        s"output '${output.spec.name}' is too large.",
        expected = s"at most $most elements in a batch",
        found = s"${shape.product} elements",
        hint = "give a smaller batch size."
      )
    )
  }

  private val refusal = "the model refuses the row"
}
