package io.tfspark.error

import java.math.{BigDecimal, MathContext}

/** Values as Python's `repr` writes them, so that both sides refuse a row in the same words. */
object PythonText {

  /** A float: the fewest digits that tell it from all others. */
  def of(value: Double): String =
    if (value.isNaN) "nan"
    else if (value.isInfinite) if (value > 0) "inf" else "-inf"
    else if (value == 0) if (1 / value > 0) "0.0" else "-0.0"
    else {
      val shortest = (1 to 17)
        .map(digits => new BigDecimal(value).round(new MathContext(digits)))
        .find(_.doubleValue == value)
        .getOrElse(new BigDecimal(value))
        .stripTrailingZeros
      val exponent = shortest.precision - shortest.scale - 1
      if (exponent >= -4 && exponent < 16) plain(shortest) else scientific(shortest, exponent)
    }

  /** Bytes, in the quotes that they do not hold. */
  def of(value: Array[Byte]): String = {
    val quote = if (value.contains('\'') && !value.contains('"')) '"' else '\''
    value.map(byte => escaped((byte & 0xff).toChar, quote)).mkString(s"b$quote", "", s"$quote")
  }

  /** Text, in the quotes that it does not hold. */
  def quoted(text: String): String = {
    val quote = if (text.contains('\'') && !text.contains('"')) '"' else '\''
    text.map {
      case char if char.isControl || char < 127 => escaped(char, quote)
      case char => char.toString
    }.mkString(s"$quote", "", s"$quote")
  }

  /** A value that a user gave. */
  def shown(value: Any): String = value match {
    case number: Double => of(number)
    case number: Float => of(number.toDouble)
    case flag: Boolean => if (flag) "True" else "False"
    case bytes: Array[Byte] => of(bytes)
    case text: String => s"'$text'"
    case other => other.toString
  }

  private def plain(value: BigDecimal): String = {
    val text = value.toPlainString
    if (text.contains('.')) text else s"$text.0"
  }

  private def scientific(value: BigDecimal, exponent: Int): String = {
    val digits = value.unscaledValue.abs.toString
    val mantissa = if (digits.length == 1) digits else s"${digits.head}.${digits.tail}"
    val sign = if (value.signum < 0) "-" else ""
    val direction = if (exponent < 0) "-" else "+"
    f"$sign${mantissa}e$direction${math.abs(exponent)}%02d"
  }

  private def escaped(char: Char, quote: Char): String = char match {
    case '\t' => "\\t"
    case '\n' => "\\n"
    case '\r' => "\\r"
    case '\\' => "\\\\"
    case `quote` => s"\\$quote"
    case _ if char >= ' ' && char < 127 => char.toString
    case _ => f"\\x${char.toInt}%02x"
  }
}
