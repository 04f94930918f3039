package io.tfspark.model

import org.apache.spark.sql.types.{StringType, StructType}

/** What happens to a bad row, which cannot be fed or which the model refuses. Driver and executor;
  * serialisable.
  */
sealed trait OnError {

  /** The column that says why a row is bad; nothing for no such column. */
  def reason: Option[String]
}

object OnError {

  /** The scoring ends with an error that names it. */
  case object Raise extends OnError {
    val reason: Option[String] = None
  }

  /** Its outputs are null.
    *
    * @param reason the column that says why: a struct of `code` (one of `ReasonCode`), `column` and
    *   `message`, null for a good row
    */
  final case class GiveNull(reason: Option[String] = None) extends OnError

  /** The type of the reason column. */
  val reasonType: StructType =
    Seq("code", "column", "message").foldLeft(new StructType)(_.add(_, StringType))
}
