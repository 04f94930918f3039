package io.tfspark.sql

import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.JsonNode
import io.tfspark.{SparkSuite, TestModels}
import io.tfspark.model.{DType, ModelPackage}
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.types._

/** Every test model gives the answers of TensorFlow in Python, from rows and from columnar batches.
  */
class ParitySuite extends SparkSuite {

  TestModels.answers.foreach { case (name, answers) =>
    test(s"$name answers rows as Python does") {
      assertAnswers(name, answers, table(name, answers))
    }

    test(s"$name answers Parquet's columns as Python does") {
      val folder = Files.createTempDirectory("parity").resolve(name).toString
      table(name, answers).coalesce(1).write.parquet(folder)
      assertAnswers(name, answers, spark.read.parquet(folder).orderBy("row"))
    }
  }

  /** The rows with one column per input and a row number, and rows of nulls between them. */
  private def table(name: String, answers: JsonNode): DataFrame = {
    val inputs = ModelPackage.load(Paths.get(model(name))).signature().inputs
    val fields = inputs.map { spec =>
      val dtype = DType.of(spec.dtype).get
      StructField(spec.name, DType.nested(dtype.sql, spec.rowShape.get.size))
    }
    val schema = StructType(StructField("row", IntegerType) +: fields)
    val rows = answers.get("rows").elements.asScala.zipWithIndex.flatMap { case (row, index) =>
      val cells = row.elements.asScala.toSeq.zip(fields).map { case (cell, field) =>
        read(cell, field.dataType)
      }
      Seq(Row.fromSeq((index * 2) +: cells), Row.fromSeq((index * 2 + 1) +: cells.map(_ => null)))
    }
    spark.createDataFrame(rows.toSeq.asJava, schema)
  }

  private def assertAnswers(name: String, answers: JsonNode, table: DataFrame): Unit =
    having("spark.tfspark.narrow" -> "true") {
      val columns = table.columns.filter(_ != "row").mkString(", ")
      table.createOrReplaceTempView("parity")
      val scored = sql(
        s"SELECT row, tf_predict('${model(name)}', $columns) AS y FROM parity ORDER BY row"
      ).collect()
      val (fed, nulls) = scored.partition(_.getInt(0) % 2 == 0)
      val outputs = answers.get("answers").elements.asScala.toSeq
      assert(fed.length == outputs.size)
      outputs.zip(fed).foreach { case (expected, row) =>
        val names = expected.fieldNames.asScala.toSeq
        val found = if (names.size == 1) Seq(row.get(1)) else row.getStruct(1).toSeq
        names.zip(found).foreach { case (output, value) =>
          assert(
            isClose(expected.get(output), value),
            s"$output: expected ${expected.get(output)}, found $value"
          )
        }
      }
      // As in Python, a struct of several outputs is not null, but its fields are.
      nulls.foreach(row => assert(row.isNullAt(1) || row.getStruct(1).toSeq.forall(_ == null)))
    }

  private def read(cell: JsonNode, kind: DataType): Any = kind match {
    case ArrayType(element, _) => cell.elements.asScala.map(read(_, element)).toSeq
    case BooleanType => cell.asBoolean
    case ByteType => cell.asInt.toByte
    case ShortType => cell.asInt.toShort
    case IntegerType => cell.asInt
    case LongType => cell.asLong
    case FloatType => cell.asDouble.toFloat
    case DoubleType => cell.asDouble
    case _ => cell.asText
  }

  private def isClose(expected: JsonNode, found: Any): Boolean = found match {
    case null => false
    case many: scala.collection.Seq[_] =>
      many.size == expected.size && many.indices.forall(index =>
        isClose(expected.get(index), many(index))
      )
    case flag: Boolean => expected.asBoolean == flag
    case text: String => expected.asText == text
    case number: java.lang.Long => expected.asLong == number
    case number: Number =>
      val (one, other) = (expected.asDouble, number.doubleValue)
      one == other || math.abs(one - other) <= 1e-5 * math.max(math.abs(one), math.abs(other))
    case other => fail(s"an answer of ${other.getClass}")
  }
}
