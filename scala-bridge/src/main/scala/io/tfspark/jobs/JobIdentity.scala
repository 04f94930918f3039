package io.tfspark.jobs

import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest
import java.util.HexFormat

import io.tfspark.jobs.commit.JobKey

/** Computes the key of a job from its settings, its model and its input. Driver.
  *
  * If the input has no state (files or versions), changes cannot be detected. So each run is a job
  * of its own, unless the user gives a run id. Python computes another digest, so the same job in
  * the other language counts as another job.
  */
private[jobs] object JobIdentity {

  /** The key of a job; it contains the digest of the model, not its path.
    *
    * @param snapshot the state of the input; none when it is not known
    */
  def keyOf(job: BatchJob, modelDigest: String, snapshot: Option[Seq[String]]): JobKey =
    if (snapshot.isEmpty && job.runId.isEmpty) JobKey.ofOneRun
    else digestKey(job, modelDigest, snapshot.getOrElse(Nil))

  private def digestKey(job: BatchJob, modelDigest: String, snapshot: Seq[String]): JobKey = {
    val settings = job.copy(model = "", report = None, isDryRun = false)
    val digest = MessageDigest.getInstance("SHA-256")
    (Seq("scala", text(settings), modelDigest) ++ snapshot).foreach { fact =>
      val bytes = fact.getBytes(UTF_8)
      digest.update(ByteBuffer.allocate(java.lang.Long.BYTES).putLong(bytes.length.toLong).array)
      digest.update(bytes)
    }
    JobKey(HexFormat.of().formatHex(digest.digest()), job.runId)
  }

  /** All values of a setting; a `toString` may leave some out. */
  private def text(value: Any): String = value match {
    case fields: Map[_, _] => fields.toSeq.map(text).sorted.mkString("{", ",", "}")
    case many: Seq[_] => many.map(text).mkString("[", ",", "]")
    case product: Product => text(product.productPrefix +: product.productIterator.toSeq)
    case other => s"'$other'"
  }
}
