package io.tfspark.jobs

import java.io.IOException

import io.tfspark.error._
import org.apache.spark.sql.AnalysisException

/** Converts a failure to its message and its exit code. Driver. */
private[jobs] object Failure {

  def of(error: Throwable): (String, Int) = {
    val chain = Iterator.iterate(error)(_.getCause).takeWhile(Option(_).isDefined).take(20).toSeq
    chain.collectFirst { case own: TfsparkException => (own.getMessage, own.exitCode) }.getOrElse(
      error match {
        case refusal: AnalysisException =>
          (
            foreign(refusal.getMessage.split(";\n").head),
            if (Dataset.isMissing(refusal)) 66 else 65
          )
        case refusal: IllegalArgumentException => (foreign(String.valueOf(refusal.getMessage)), 65)
        case _ if chain.exists(_.isInstanceOf[IOException]) =>
          (
            Explain(
              "The job could not read or write.",
              found = chain.last.toString,
              hint =
                "check the network, and the space and permissions of the input and the output."
            ),
            74
          )
        case other =>
          val cause = chain.lastOption.getOrElse(other)
          (
            Explain(
              "The job failed.",
              found = cause.toString,
              hint = "the log above may say more."
            ),
            70
          )
      }
    )
  }

  /** A message of Spark, indented so that no line looks like one of ours. */
  private def foreign(message: String): String = ForeignText.quotedLines(message)
}
