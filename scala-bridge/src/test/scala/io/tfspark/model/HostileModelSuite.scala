package io.tfspark.model

import java.io.RandomAccessFile
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import scala.util.{Failure, Random, Success, Try, Using}

import io.tfspark.TestModels
import io.tfspark.error._
import org.apache.spark.sql.types.{ArrayType, FloatType}
import org.scalatest.funsuite.AnyFunSuite

/** Whatever lies in the folder of a model, reading it ends soon, and with an error of ours. */
class HostileModelSuite extends AnyFunSuite {

  private def graphOf(base: Path): Path = base.resolve("1/saved_model.pb")

  private def refusal(base: Path): String =
    intercept[InvalidModelException](ModelPackage.load(base)).getMessage

  /** Read and bind a model; how it ended, where that was with no error of ours. */
  private def surprise(base: Path): Option[Throwable] = {
    val columns = Seq(ColumnAtHand("features", ArrayType(FloatType)))
    Try {
      val model = ModelPackage.load(base)
      assert(model.describe.nonEmpty)
      model.signatures.foreach(one => Binding.bind(one, columns))
    } match {
      case Success(_) | Failure(_: TfsparkException) => None
      case Failure(other) => Some(other)
    }
  }

  private def mutated(bytes: Array[Byte], random: Random): Array[Byte] = {
    val at = random.nextInt(bytes.length)
    random.nextInt(3) match {
      case 0 => bytes.take(at)
      case 1 =>
        (0 to random.nextInt(8)).foldLeft(bytes) { (before, _) =>
          val where = random.nextInt(before.length)
          before.updated(where, (before(where) ^ (1 << random.nextInt(8))).toByte)
        }
      case _ =>
        val from = random.nextInt(bytes.length)
        bytes.patch(at, bytes.slice(from, from + random.nextInt(400)), random.nextInt(400))
    }
  }

  Seq("linear", "words", "open_rank", "checkpoint_2016").foreach { name =>
    test(s"50 mutations of the graph of $name end with errors of ours") {
      val base = TestModels.copy(name)
      val whole = Files.readAllBytes(graphOf(base))
      val random = new Random(14)
      (1 to 50).foreach { number =>
        Files.write(graphOf(base), mutated(whole, random))
        assert(surprise(base).isEmpty, s"mutation $number")
      }
    }
  }

  test("text that nests without end is refused") {
    val base = TestModels.copy("linear")
    Files.delete(graphOf(base))
    val text = "meta_graphs { graph_def { library { function " + "{ signature " * 100000
    Files.write(base.resolve("1/saved_model.pbtxt"), text.getBytes(UTF_8))
    assert(surprise(base).isEmpty && Try(ModelPackage.load(base)).isFailure)
  }

  test("a graph beyond the bound of protocol buffers is refused unread") {
    val base = TestModels.copy("linear")
    Using.resource(new RandomAccessFile(graphOf(base).toFile, "rw"))(_.setLength(1L << 32))
    assert(refusal(base).contains("at most 2147483647 bytes"))
  }

  test("a pipe is refused, and is not waited for") {
    val base = TestModels.copy("linear")
    val pipe = base.resolve("1/variables/more")
    assume(Try(new ProcessBuilder("mkfifo", pipe.toString).start().waitFor()).toOption.contains(0))
    assert(refusal(base).contains("'variables/more': a device, a pipe or a socket"))
  }

  test("an asset is inside of the model") {
    Seq("../../../etc/passwd", "a/../b", "/etc/passwd", "\u0000", "x" * 300).foreach { name =>
      val base = TestModels.edited("words")(graph =>
        (0 until graph.getAssetFileDefCount).foreach(
          graph.getAssetFileDefBuilder(_).setFilename(name)
        )
      )
      assert(refusal(base).contains("holds something that no model has"), name)
    }
  }

  test("a folder of too many files or levels is refused") {
    val base = TestModels.copy("linear")
    val deep = Paths.get("d", Seq.fill(40)("d"): _*)
    Files.createDirectories(base.resolve("1").resolve(deep))
    assert(refusal(base).contains("too many levels of folders"))
    val many = TestModels.copy("linear")
    (0 to ModelWalk.MostEntries).foreach(one => Files.createFile(many.resolve(s"1/f$one")))
    assert(refusal(many).contains("more than 10000 entries"))
  }

  test("names have bounds in bytes, and lead nowhere") {
    val walk = new ModelWalk("m")
    Seq("a", "a/b", "ä" * 127, Seq.fill(32)("a").mkString("/")).foreach(walk.meet)
    val wrong = Seq("", "/a", "a//b", "a/../b", ".", "..", "a\u0000", "ä" * 128, "a/" * 32 + "a") :+
      Seq.fill(20)("x" * 250).mkString("/")
    wrong.foreach(name => intercept[InvalidModelException](walk.meet(name)))
  }
}
