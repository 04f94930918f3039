package io.tfspark.jobs

import java.net.URI
import java.util.Locale

import scala.jdk.CollectionConverters._
import scala.util.{Try, Using}

import io.tfspark.error._
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.orc.{OrcFile, TypeDescription}
import org.apache.parquet.hadoop.ParquetFileReader
import org.apache.parquet.hadoop.util.HadoopInputFile
import org.apache.parquet.schema.{GroupType, Type}
import org.apache.spark.sql.DataFrame

/** The columns of the files that a job reads. Driver.
  *
  * Spark takes the columns of one Parquet or ORC file and gives null where another file lacks one.
  * This class refuses such a file and names it. It also refuses an empty file, which Spark would
  * skip without an error. It reads the footers of at most `most` files.
  *
  * @param files in order, with the names of their columns; empty for a source without footers
  */
final private[jobs] class InputFiles(files: Seq[(Path, Seq[String])]) {

  /** Refuse a file that lacks a column of the first file, or has a column that the first file
    * lacks.
    *
    * @param needed the columns that matter; by default all
    */
  def check(needed: Option[Set[String]]): Unit = files.headOption.foreach { first =>
    files.tail.foreach { other =>
      refuseLacking(other, first._2, needed)
      refuseLacking(first, other._2, needed)
    }
  }

  /** Refuse a file that lacks a column of another file, if Spark does not know that column.
    *
    * @param known the columns that Spark knows: those of one file, which need not be the first
    */
  def explainUnbound(known: Seq[String]): Unit =
    check(Some(files.flatMap(_._2).map(InputFiles.folded).toSet -- known.map(InputFiles.folded)))

  private def refuseLacking(
      file: (Path, Seq[String]),
      others: Seq[String],
      needed: Option[Set[String]]
  ): Unit = {
    val there = file._2.map(InputFiles.folded).toSet
    val lacking = others.filter { name =>
      // A field of a struct is needed with its column.
      val column = InputFiles.folded(name.takeWhile(_ != '.'))
      needed.forall(_.map(InputFiles.folded).contains(column)) &&
      !there(InputFiles.folded(name))
    }
    if (lacking.nonEmpty)
      throw new InvalidInputException(
        Explain(
          s"The input file ${file._1} lacks ${Explain.listing(lacking)}.",
          expected = "the columns of the other files",
          hint = "write the file again with all columns, or allow nulls in their place with " +
            "--allow-missing."
        )
      )
  }
}

private[jobs] object InputFiles {
  private val most = 256
  private val withFooters = Set("parquet", "orc")

  /** The files that a DataFrame reads. */
  def of(rows: DataFrame, source: Dataset, conf: Configuration): InputFiles =
    if (source.path.isEmpty || !withFooters(source.format)) new InputFiles(Nil)
    else {
      val paths = rows.inputFiles.toSeq.sorted.map(uri => new Path(new URI(uri)))
      paths.foreach(refuseEmpty(_, source.format, conf))
      // A file that cannot be read here is left to Spark, which names it.
      new InputFiles(paths.take(most).flatMap(path =>
        Try(columns(path, source.format, conf)).toOption.map(path -> _)
      ))
    }

  private def refuseEmpty(path: Path, format: String, conf: Configuration): Unit =
    if (path.getFileSystem(conf).getFileStatus(path).getLen == 0)
      throw new InvalidInputException(
        Explain(
          s"The input file $path is empty: its rows are missing.",
          expected = s"a $format file, which has a footer even without rows",
          found = "0 bytes",
          hint = "write the file again, or remove it if it never had rows."
        )
      )

  /** Names of the columns, and of the fields of structs as `column.field`. */
  private def columns(path: Path, format: String, conf: Configuration): Seq[String] =
    if (format == "parquet")
      Using.resource(ParquetFileReader.open(HadoopInputFile.fromPath(path, conf))) { file =>
        ofParquet(file.getFileMetaData.getSchema)
      }
    else
      Using.resource(OrcFile.createReader(path, OrcFile.readerOptions(conf))) { file =>
        ofOrc(file.getSchema)
      }

  private def ofParquet(group: GroupType): Seq[String] =
    group.getFields.asScala.toSeq.flatMap { field =>
      val isStruct = !field.isPrimitive && !field.isRepetition(Type.Repetition.REPEATED) &&
        Option(field.getLogicalTypeAnnotation).isEmpty
      nested(field.getName, if (isStruct) ofParquet(field.asGroupType) else Nil)
    }

  private def ofOrc(struct: TypeDescription): Seq[String] =
    struct.getFieldNames.asScala.toSeq.zip(struct.getChildren.asScala).flatMap {
      case (name, field) =>
        val isStruct = field.getCategory == TypeDescription.Category.STRUCT
        nested(name, if (isStruct) ofOrc(field) else Nil)
    }

  private def nested(name: String, fields: Seq[String]): Seq[String] =
    name +: fields.map(field => s"$name.$field")

  private def folded(name: String): String = name.toLowerCase(Locale.ROOT)
}
