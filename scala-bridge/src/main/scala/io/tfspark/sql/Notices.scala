package io.tfspark.sql

import java.util.{Collections, LinkedHashMap}

import io.tfspark.error.{ForeignText, Terms}
import io.tfspark.model.Binding
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

  def say(model: String, binding: Binding): Unit =
    if (binding.terms != Terms.Python && binding.terms != Terms.PythonSql) {
      binding.warnings.map(text => shown(s"model $model: $text")).filter(isNew).foreach(log.warn(_))
      val rounded = binding.rounded.mkString("; ")
      Option.when(rounded.nonEmpty)(
        shown(s"model $model: numbers are rounded to the model's precision: $rounded")
      ).filter(isNew).foreach(log.info(_))
    }

  private def shown(text: String): String = ForeignText.oneLine(text)

  private def isNew(text: String): Boolean = Option(said.put(text, text)).isEmpty
}
