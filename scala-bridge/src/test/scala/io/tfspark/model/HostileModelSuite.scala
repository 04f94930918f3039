package io.tfspark.model

import java.io.RandomAccessFile
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.util.concurrent.atomic.AtomicBoolean

import scala.jdk.CollectionConverters._
import scala.util.{Failure, Random, Success, Try, Using}

import io.tfspark.TestModels
import io.tfspark.error._
import org.apache.spark.sql.types.{ArrayType, FloatType}
import org.scalatest.funsuite.AnyFunSuite
import org.tensorflow.proto._

/** For any files in the folder of a model, reading ends soon, and with a typed error. */
class HostileModelSuite extends AnyFunSuite {

  private def graphOf(base: Path): Path = base.resolve("1/saved_model.pb")

  private def refusal(base: Path): String =
    intercept[InvalidModelException](ModelPackage.load(base)).getMessage

  /** Read and bind a model; returns the exception if it is not a tfspark error. */
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
      assert(refusal(base).contains("contains something that a model cannot contain"), name)
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

  /** A graph with an output whose shape depends on other nodes. */
  private def openGraph(change: GraphDef.Builder => Unit): Path =
    TestModels.edited("linear") { graph =>
      val signature = graph.getSignatureDefOrThrow("serving_default").toBuilder
      val output = signature.getOutputsOrThrow("outputs").toBuilder
      signature.putOutputs("outputs", output.clearTensorShape().setName("y:0").build())
      graph.putSignatureDef("serving_default", signature.build())
      change(graph.getGraphDefBuilder)
    }

  private def shapeOf(base: Path): Option[Shape] =
    ModelPackage.load(base).signature().outputs.map(_.shape).head

  private def node(name: String, op: String, inputs: String*): NodeDef.Builder =
    NodeDef.newBuilder().setName(name).setOp(op).addAllInput(inputs.asJava)

  private def calling(function: String): AttrValue =
    AttrValue.newBuilder().setFunc(NameAttrList.newBuilder().setName(function)).build()

  private def number(value: Long): AttrValue = AttrValue.newBuilder().setI(value).build()

  private def constant(values: Seq[Long], sizes: Long*): AttrValue = {
    val shape = TensorShapeProto.newBuilder()
    sizes.foreach(size => shape.addDim(TensorShapeProto.Dim.newBuilder().setSize(size)))
    val tensor = TensorProto.newBuilder().setDtype(DataType.DT_INT64).setTensorShape(shape)
    values.foreach(tensor.addInt64Val)
    AttrValue.newBuilder().setTensor(tensor).build()
  }

  Seq[(String, GraphDef.Builder => Unit)](
    "a constant of many elements" -> { graph =>
      graph.addNode(node("y", "Reshape", "y", "s"))
      graph.addNode(node("s", "Const").putAttr("value", constant(Seq(1), Int.MaxValue.toLong)))
    },
    "a pack of many sizes" -> { graph =>
      graph.addNode(node("y", "Reshape", "y", "p"))
      graph.addNode(node("p", "Pack").putAttr("N", number(Int.MaxValue.toLong)))
    },
    "packs of packs" -> { graph =>
      graph.addNode(node("y", "Reshape", "y", "n90"))
      graph.addNode(node("n0", "Const").putAttr("value", constant(Seq(1))))
      (1 to 90).foreach(level =>
        graph.addNode(
          node(s"n$level", "Pack", s"n${level - 1}", s"n${level - 1}").putAttr("N", number(2))
        )
      )
    },
    "functions that call functions twice" -> { graph =>
      graph.addNode(node("y", "PartitionedCall", "y").putAttr("f", calling("f0")))
      (0 until 45).foreach { level =>
        val signature = OpDef.newBuilder().setName(s"f$level")
          .addInputArg(OpDef.ArgDef.newBuilder().setName("x"))
          .addOutputArg(OpDef.ArgDef.newBuilder().setName("y"))
        val calls = Seq("a", "b").map(name =>
          node(name, "PartitionedCall", "x").putAttr("f", calling(s"f${level + 1}")).build()
        )
        graph.getLibraryBuilder.addFunction(
          FunctionDef.newBuilder().setSignature(signature).putRet("y", "add:z:0")
            .addAllNodeDef(calls.asJava).addNodeDef(node("add", "Add", "a:o:0", "b:o:0"))
        )
      }
    }
  ).foreach { case (name, change) =>
    test(s"$name: a graph that is made to keep a reader busy says nothing") {
      assert(shapeOf(openGraph(change)).isEmpty)
    }
  }

  test("all calls of a function share its body") {
    val base = openGraph { graph =>
      val signature = OpDef.newBuilder().setName("f")
        .addInputArg(OpDef.ArgDef.newBuilder().setName("x"))
        .addOutputArg(OpDef.ArgDef.newBuilder().setName("y"))
      val nodes = (0 until 20000).map(at => node(s"n$at", "NoOp").build())
      graph.getLibraryBuilder.addFunction(
        FunctionDef.newBuilder().setSignature(signature).putRet(
          "y",
          "x"
        ).addAllNodeDef(nodes.asJava)
      )
      graph.addNode(node("x", "Placeholder").putAttr(
        "shape",
        AttrValue.newBuilder().setShape(
          TensorShapeProto.newBuilder().addDim(TensorShapeProto.Dim.newBuilder().setSize(3))
        ).build()
      ))
      graph.addNode(node("y", "PartitionedCall", "x").putAttr("f", calling("f")))
    }
    val file = base.resolve("1/saved_model.pb")
    val scopes = new GraphScopes(
      SavedModel.parseFrom(Files.readAllBytes(file)).getMetaGraphs(0).getGraphDef
    )
    val y = GraphScopes.Tensor(scopes.main, "y:0")
    val bodies = Seq.fill(2)(scopes.end(y).flatMap(scopes.called)).flatten.map(_.scope.nodes)
    assert(bodies.size == 2 && (bodies.head eq bodies.last))
    assert(shapeOf(base).contains(Seq(Some(3L))))
  }

  test("the graph that is judged is the one that is hashed") {
    val harmless = TestModels.copy("linear")
    val evil = TestModels.edited("linear")(graph =>
      graph.getGraphDefBuilder.addNode(node("write", "WriteFile"))
    )
    val findings =
      Seq(harmless, evil).map(ModelPackage.load(_)).map(one => one.digest -> one.findings).toMap
    assert(findings.values.map(_.map(_.op)).toSet == Set(Nil, Seq("WriteFile")))
    val graphs = Seq(harmless, evil).map(one => Files.readAllBytes(graphOf(one)))
    val changing = TestModels.copy("linear")
    val stop = new AtomicBoolean
    val writer = new Thread(() =>
      Iterator.continually(graphs).flatten.takeWhile(_ => !stop.get).foreach { bytes =>
        Files.write(changing.resolve("next"), bytes)
        Files.move(changing.resolve("next"), graphOf(changing), ATOMIC_MOVE)
      }
    )
    writer.start()
    try
      (1 to 300).foreach { _ =>
        val found = ModelPackage.load(changing)
        assert(findings.get(found.digest).contains(found.findings))
      }
    finally {
      stop.set(true)
      writer.join()
    }
  }

  test("content that was read is not read again") {
    val folder = TestModels.copy("linear").resolve("1")
    val listed = ModelFiles.list(folder)
    val contents = listed.map { case (name, file) => name -> Files.readAllBytes(file) }.toMap
    val digest = ModelFiles.digest(folder)
    listed.foreach { case (_, file) => Files.delete(file) }
    assert(ModelFiles.digestOf(listed, contents) == digest)
  }
}
