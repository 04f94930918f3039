package io.tfspark.model

/** Why a row is bad. The list is closed, and has the codes of Python's `tfspark.rows.CODES` with
  * the same meaning. Executor.
  */
sealed abstract class ReasonCode(val text: String)

object ReasonCode {
  case object NullInput extends ReasonCode("NULL_INPUT")
  case object WrongShape extends ReasonCode("WRONG_SHAPE")
  case object Ragged extends ReasonCode("RAGGED")
  case object NotAnImage extends ReasonCode("NOT_AN_IMAGE")
  case object OutOfRange extends ReasonCode("OUT_OF_RANGE")
  case object Fraction extends ReasonCode("FRACTION")
  case object NotANumber extends ReasonCode("NOT_A_NUMBER")
  case object Unreadable extends ReasonCode("UNREADABLE")
  case object ModelRefused extends ReasonCode("MODEL_REFUSED")
  case object NotText extends ReasonCode("NOT_TEXT")
}
