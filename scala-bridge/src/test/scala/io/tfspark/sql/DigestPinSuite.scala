package io.tfspark.sql

import java.nio.file.{Files, Paths}

import io.tfspark.{ScoreOptions, SparkSuite, TestModels, TfSpark}
import io.tfspark.error._
import io.tfspark.jobs.BatchScore
import org.apache.spark.SparkEnv
import org.apache.spark.sql.AnalysisException

/** A model whose digest differs from the pinned digest is refused before it is read. */
class DigestPinSuite extends SparkSuite {
  private val digest = TestModels.answers("linear").get("digest").asText
  private val other = "0" * 64
  private val linear = model("linear")

  private def call(name: String, options: String = ""): Seq[Any] =
    values(s"SELECT tf_predict('$name',$options float(id), 1) FROM range(2)")

  private def refusal(name: String, options: String = ""): String =
    intercept[AnalysisException](call(name, options)).getMessage

  test("the operator pins a registered name, which is no other name") {
    assert(call("pinned") == Seq(2f, 4f))
    assert(values("SELECT pinned(float(id), 1) FROM range(2)") == Seq(2f, 4f))
    assert(BridgeConf.registered.contains("pinned"))
    assert(!BridgeConf.registered.exists(_._1.endsWith("sha256")))
  }

  test("a wrong pin is refused, also for a model that was read before") {
    assert(call(linear) == Seq(2f, 4f))
    Seq("SELECT mispinned(1f, 2f)", "SELECT tf_predict('mispinned', 1f, 2f)").foreach { text =>
      val message = intercept[AnalysisException](sql(text)).getMessage
      assert(message.startsWith(s"The model at $linear/1 is not the one that is pinned."))
      assert(message.contains(s"expected: sha256 $other") && message.contains(s"sha256 $digest"))
      assert(message.contains("Hint: "))
    }
  }

  test("a call pins a model") {
    assert(call(linear, s"map('sha256', '${digest.toUpperCase}'),") == Seq(2f, 4f))
    assert(refusal(linear, s"map('sha256', '$other'),").contains("not the one that is pinned"))
    assert(refusal(s"other:$linear", s"map('sha256', '$other'),").contains("is pinned"))
    // The caller's pin does not replace the operator's pin.
    assert(refusal("mispinned", s"map('sha256', '$digest'),").contains("is pinned"))
    val malformed = refusal(linear, "map('sha256', 'abc'),")
    assert(malformed.contains("The option sha256 is not the digest of a model."))
    assert(malformed.contains("64 hexadecimal digits"))
  }

  test("a program pins a model") {
    assert(TfSpark.load(linear, sha256 = Some(digest)).digest == digest)
    intercept[InvalidModelException](TfSpark.load(linear, sha256 = Some(other)))
    intercept[InvalidModelException](TfSpark.open(linear, ScoreOptions(sha256 = Some(other))))
    intercept[UsageException](TfSpark.open(linear, ScoreOptions(sha256 = Some("12"))))
  }

  test("a model of another digest is not even parsed") {
    val base = TestModels.copy("linear")
    Files.write(base.resolve("1/saved_model.pb"), "no protocol buffer".getBytes)
    val error = intercept[InvalidModelException](TfSpark.load(base.toString, sha256 = Some(digest)))
    assert(error.getMessage.contains("is not the one that is pinned"))
  }

  test(
    "a pin of the operator that names no model, or is no digest, protects nothing and is refused"
  ) {
    Seq("lost" -> digest, "linear" -> "abc").foreach { case (name, pin) =>
      val key = s"spark.tfspark.model.$name.sha256"
      SparkEnv.get.conf.set(key, pin)
      try {
        val message = refusal("linear")
        assert(message.contains(key) && message.contains("expected: "), message)
      } finally { val _ = SparkEnv.get.conf.remove(key) }
    }
    assert(call("linear") == Seq(2f, 4f))
  }

  test("the job takes a pin") {
    val words = Seq("--model", linear, "--input", "i", "--output", Paths.get("o").toString)
    assert(BatchScore.run(words ++ Seq("--model-sha256", "12")) == 2)
    val parsed = io.tfspark.jobs.BatchScoreFlags.parse(words ++ Seq("--model-sha256", digest))
    assert(parsed.options.sha256.contains(digest))
  }
}
