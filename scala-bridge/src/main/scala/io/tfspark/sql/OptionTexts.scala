package io.tfspark.sql

import java.math.{BigDecimal, BigInteger}

import scala.jdk.CollectionConverters._
import scala.util.Try

import com.fasterxml.jackson.core.json.JsonReadFeature
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.json.JsonMapper
import io.tfspark.ScoreOptions
import io.tfspark.error._
import io.tfspark.model.{DigestPin, OnError, OnNull, Shape}
import org.apache.spark.sql.types.DecimalType

/** Options as texts: what stands in `map('narrow', 'true')` after the model of a call, in settings
  * of the session, and what Python sends. Driver.
  *
  * {{{
  * signature      a name
  * tags           serve,gpu
  * batch_size     256
  * narrow         true | false
  * strings        string | binary
  * on_null        null | error | 0 | age=0;name=unknown
  * on_error       raise | null
  * reason         a name
  * output_shapes  score=;box=4;tokens=None,3
  * sha256         64 hexadecimal digits
  * fetch          score=y;box=b
  * }}}
  *
  * `on_null`, `output_shapes` and `fetch` may also be JSON objects, whose names and values may
  * contain any character.
  */
private[tfspark] object OptionTexts {
  private val json =
    JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build()

  private val reason = "reason"

  private type Setter = (CallOptions, String) => CallOptions

  private val setters: Map[String, Setter] = Map(
    "signature" -> score((score, text) => score.copy(signature = text)),
    "tags" -> score((score, text) => score.copy(tags = tags(text))),
    "batch_size" -> score((score, text) =>
      score.copy(batchSize = Some(positive("batch_size", text)))
    ),
    "narrow" -> score((score, text) => score.copy(narrow = flag("narrow", text))),
    "strings" -> score((score, text) => score.copy(binaryStrings = isBinary("strings", text))),
    "on_null" -> score((score, text) => score.copy(onNull = onNull("on_null", text))),
    "on_error" -> score((score, text) => score.copy(onError = onError("on_error", text))),
    reason -> score((score, text) => score.copy(onError = withReason(score.onError, text))),
    "output_shapes" -> score((score, text) =>
      score.copy(outputShapes = shapes("output_shapes", text))
    ),
    "sha256" -> score((score, text) =>
      score.copy(sha256 = Some(DigestPin.parse("sha256", text)))
    ),
    "fetch" -> ((options, text) => options.copy(fetch = Some(names("fetch", text)))),
    "labels" -> ((options, text) => options.copy(labels = list(text))),
    "terms" -> ((options, text) => options.copy(terms = Terms.of(text).getOrElse(options.terms))),
    "in_order" -> ((options, text) => options.copy(inOrder = flag("in_order", text)))
  )

  private def score(set: (ScoreOptions, String) => ScoreOptions): Setter =
    (options, text) => options.copy(score = set(options.score, text))

  /** Options with those that are given. */
  def parse(texts: Map[String, String], options: CallOptions): CallOptions =
    // Whether there can be a reason depends on `on_error`.
    texts.toSeq.sortBy(_._1 == reason).foldLeft(options) { case (before, (name, text)) =>
      setters.get(name) match {
        case Some(set) => set(before, text)
        case None =>
          val known = setters.keys.toSeq.sorted.filterNot(ofPrograms)
          throw new UsageException(Explain(
            s"There is no option '$name'.${Explain.didYouMean(name, known)}",
            expected = known.mkString(", "),
            found = name
          ))
      }
    }

  /** The options of a JSON object of texts. */
  def parse(document: String, options: CallOptions): CallOptions =
    parse(
      members("options", document).map { case (name, one) => name -> one.asText }.toMap,
      options
    )

  /** `serve,gpu`. */
  def tags(text: String): Seq[String] = text.split(',').toSeq.map(_.trim).filter(_.nonEmpty)

  /** A whole number of at least 1. */
  def positive(option: String, text: String): Int =
    Try(text.trim.toInt).toOption.filter(_ >= 1).getOrElse(
      throw refusal(option, "a whole number of at least 1", text)
    )

  /** `true` or `false`. */
  def flag(option: String, text: String): Boolean =
    text.trim.toLowerCase.toBooleanOption.getOrElse(throw refusal(option, "'true', 'false'", text))

  /** Whether string outputs become `binary` columns instead of `string`. */
  def isBinary(option: String, text: String): Boolean = text.trim match {
    case "binary" => true
    case "string" => false
    case _ => throw refusal(option, "'string', 'binary'", text)
  }

  /** What happens to a null. */
  def onNull(option: String, text: String): OnNull = text.trim match {
    case "null" => OnNull.GiveNull
    case "error" => OnNull.Refuse
    case document if document.startsWith("{") =>
      OnNull.FillEach(members(option, document).map { case (name, one) =>
        name -> plain(one)
      }.toMap)
    case pairs if pairs.contains('=') => OnNull.FillEach(split(option, pairs).toMap)
    case number => OnNull.Fill(numberOf(number).getOrElse(
        throw refusal(option, "'null', 'error', a number, or input=value;…", text)
      ))
  }

  /** What happens to a bad row. */
  def onError(option: String, text: String): OnError = text.trim match {
    case "raise" => OnError.Raise
    case "null" => OnError.GiveNull()
    case _ => throw refusal(option, "'raise', 'null'", text)
  }

  private def withReason(onError: OnError, name: String): OnError = onError match {
    case _ if name.isEmpty => throw refusal(reason, "the name of a new column", name)
    case OnError.GiveNull(_) => OnError.GiveNull(Some(name))
    case OnError.Raise =>
      throw new UsageException(Explain(
        "There is no reason column if the first bad row ends the scoring.",
        found = s"the option reason, '$name'",
        hint = "add the option on_error with the value null."
      ))
  }

  /** Output → shape of a row: `score=;box=4;tokens=None,3`. */
  def shapes(option: String, text: String): Map[String, Shape] =
    if (text.trim.startsWith("{"))
      members(option, text).map { case (name, sizes) =>
        name -> sizes.elements.asScala.toSeq.map(size => Option.unless(size.isNull)(size.asLong))
      }.toMap
    else split(option, text).map { case (name, sizes) => name -> shape(option, sizes) }.toMap

  /** The sizes of one shape: `3,None`; an empty text is the shape of a number. */
  def shape(option: String, text: String): Shape =
    text.split(',').toSeq.map(_.trim).filter(_.nonEmpty).map {
      case "None" => None
      case size =>
        Some(size.toLongOption.filter(_ >= 0).getOrElse(
          throw refusal(option, "sizes such as 3,None, or nothing for one number", text)
        ))
    }

  private def names(option: String, text: String): Seq[(String, String)] =
    if (text.trim.startsWith("{")) members(option, text).map { case (name, one) =>
      name -> one.asText
    }
    else split(option, text)

  private def list(document: String): Seq[String] =
    json.readTree(document).elements.asScala.map(_.asText).toSeq

  private def members(option: String, document: String): Seq[(String, JsonNode)] =
    Try(json.readTree(document)).toOption.filter(_.isObject).map {
      _.properties.asScala.toSeq.map(entry => entry.getKey -> entry.getValue)
    }.getOrElse(throw refusal(option, "a JSON object", document))

  private def split(option: String, text: String): Seq[(String, String)] =
    text.split(';').toSeq.filter(_.trim.nonEmpty).map { pair =>
      val at = pair.indexOf('=')
      if (at < 1) throw refusal(option, "name=value;…", text)
      (pair.take(at).trim, pair.drop(at + 1))
    }

  /** A value of JSON; bytes are written as base64. */
  private def plain(node: JsonNode): Any =
    if (node.isBoolean) node.asBoolean
    else if (node.isIntegralNumber) whole(node.bigIntegerValue)
    else if (node.isNumber) node.asDouble
    else if (node.isObject) node.get("base64").binaryValue
    else node.asText

  private def numberOf(text: String): Option[Any] =
    text.toBooleanOption.map(Boolean.box)
      .orElse(Try(whole(new BigInteger(text))).toOption)
      .orElse(if (text.equalsIgnoreCase("nan")) Some(Double.NaN) else text.toDoubleOption)

  /** A whole number as Spark reads it: a long, a decimal, or else a double. */
  private def whole(number: BigInteger): Any = {
    val decimal = new BigDecimal(number)
    if (decimal.precision > DecimalType.MAX_PRECISION) number.doubleValue
    else Try(number.longValueExact).getOrElse(decimal)
  }

  /** Options that only programs can give. */
  private val ofPrograms: Set[String] = Set("labels", "terms", "in_order")

  private def refusal(option: String, expected: String, found: String): UsageException =
    new UsageException(Explain(
      s"The ${if (option.startsWith("spark.")) "setting" else "option"} $option has an invalid value.",
      expected = expected,
      found = s"'$found'"
    ))
}
