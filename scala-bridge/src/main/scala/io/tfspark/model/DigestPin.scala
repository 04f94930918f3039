package io.tfspark.model

import java.util.Locale

import io.tfspark.error._

/** The digest to which a user or the operator pins a model. Driver.
  *
  * It is compared before the graph is parsed, so that neither a parser nor TensorFlow reads files
  * with another digest.
  */
private[tfspark] object DigestPin {

  /** Whether a text is a whole digest. */
  def isDigest(text: String): Boolean = text.matches("[0-9a-fA-F]{64}")

  /** A digest as an option gives it. */
  def parse(option: String, text: String): String =
    if (isDigest(text.trim)) text.trim.toLowerCase(Locale.ROOT)
    else
      throw new UsageException(
        Explain(
          s"The option $option is not the digest of a model.",
          expected = "64 hexadecimal digits",
          found = s"'$text'",
          hint = "take the digest from the report of a job, or from TfSpark.load(path).digest."
        )
      )

  /** Refuse a model whose digest differs from one of the pins. */
  def check(model: String, digest: String, pins: Seq[String]): Unit =
    pins.find(_ != digest).foreach { pin =>
      throw new InvalidModelException(
        Explain(
          s"The model at $model is not the one that is pinned.",
          expected = s"sha256 $pin",
          found = s"sha256 $digest",
          hint = "the files have changed: check what changed, then pin the new digest."
        )
      )
    }
}
