package io.tfspark.sql

import java.util.{Collections, LinkedHashMap}

import io.tfspark.error.{Explain, ForeignText, Terms}
import io.tfspark.model.{Binding, ModelPackage}
import org.slf4j.LoggerFactory

/** Logs how a model scores the rows of a binding; only once, even if Spark analyses a query several
  * times. Driver.
  *
  * For Python programs, Python logs this.
  */
private[tfspark] object Notices {
  private val log = LoggerFactory.getLogger("io.tfspark")
  private val most = 256
  private val said = Collections.synchronizedMap(
    new LinkedHashMap[String, String] {
      override def removeEldestEntry(eldest: java.util.Map.Entry[String, String]): Boolean =
        size > most
    }
  )

  def say(model: ModelPackage, binding: Binding): Unit =
    if (binding.terms != Terms.Python && binding.terms != Terms.PythonSql) {
      sayIfRandom(model)
      binding.warnings.map(text => shown(s"model ${model.title}: $text")).filter(isNew)
        .foreach(log.warn(_))
      val rounded = binding.rounded.mkString("; ")
      Option.when(rounded.nonEmpty)(
        shown(s"model ${model.title}: numbers are rounded to the model's precision: $rounded")
      ).filter(isNew).foreach(log.info(_))
    }

  /** Warn of a model that draws random numbers. */
  def sayIfRandom(model: ModelPackage): Unit =
    randomness(model).filter(isNew).foreach(log.warn(_))

  /** The warning of a model that draws random numbers. */
  private[sql] def randomness(model: ModelPackage): Option[String] =
    Option.when(model.random.nonEmpty)(shown(
      s"model ${model.title} draws random numbers (${Explain.listing(model.random)}), so a row " +
        "gets another prediction each time; to prevent this, export it with training=False"
    ))

  private def shown(text: String): String = ForeignText.oneLine(text)

  private def isNew(text: String): Boolean = Option(said.put(text, text)).isEmpty
}
