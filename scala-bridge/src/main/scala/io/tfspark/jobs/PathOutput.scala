package io.tfspark.jobs

import java.nio.file.FileAlreadyExistsException

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types.StructType
import org.slf4j.LoggerFactory

/** A folder of files: staged in a hidden folder beside its place, shown by a commit. Driver.
  *
  * What is shown are exactly the files that were counted: they are moved, one by one, out of the
  * folder that tasks write into, so that a file of a lost attempt that appears there later stays
  * behind. `tfspark/scoring/output/README.md` tells how they are shown, and what a job that died
  * leaves.
  */
final private[jobs] class PathOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String
) extends Output {
  private val conf = HadoopConf.of(spark)
  private val asGiven = new Path(target.path.mkString)
  private val files: FileSystem = asGiven.getFileSystem(conf)
  private val path = files.makeQualified(asGiven)
  if (Option(path.getParent).isEmpty)
    throw new UsageException(Explain(
      s"${target.path.mkString} is a whole file system.",
      expected = "a folder in it"
    ))
  private val rules = new FolderRules(spark, target, mode, files, path)
  private val (store, root) = Stores.of(path, conf)
  private val lock = new Lock(store, HiddenFolder(root), run, Owner.ofThisProcess)
  private val commit = new Commit(lock)

  private var inputs = Seq.empty[String]
  private var columns = StructType(Nil)
  private var isCompared = false
  private var taken = Seq.empty[String]

  /** What a dead job left is recovered in `begin`, and looked at then. */
  override def check(inputs: Seq[String]): Unit = {
    Places.checkCreatable(files, path)
    this.inputs = inputs
    if (!hasLeftover) rules.checkThere(inputs)
  }

  override def checkColumns(schema: StructType): Unit = {
    rules.checkWritable(schema)
    columns = schema
    isCompared = !hasLeftover
    if (isCompared) rules.checkAppend(schema)
  }

  private def hasLeftover: Boolean = store.exists(lock.places.path)

  override def begin(job: JobKey): Option[Journal] = {
    val isChanged = hasLeftover || !isCompared
    val done = commit.begin(job)
    if (done.isEmpty) {
      rules.checkThere(inputs) // again: only the lock keeps other jobs away
      if (isChanged) rules.checkAppend(columns)
      if (!store.isAtomic) PathOutput.warnOfCopies(target)
      commit.openWork()
    }
    done
  }

  override def stage(rows: DataFrame): Unit = {
    // Spark knows a local path by its URI alone, where its default file system is another.
    val written = new Path(HiddenFolder(path.toString).work(run), "spark")
    rows.write
      .format(target.format)
      .options(target.writeOptions)
      .partitionBy(target.partitionBy: _*)
      .save(written.toString)
    taken = filesBelow(written)
    commit.count("spark", taken)
  }

  override def publish(account: ObjectNode): Unit = {
    val exists = store.exists(root)
    // Since the check, by another program.
    if (exists && mode == "error") throw Output.alreadyThere(target)
    val isWhole = !exists || mode != "append"
    if (isWhole) markWhole()
    commit.publish(mode, taken ++ Option.when(isWhole)("_SUCCESS"), account)
  }

  /** As Spark marks a whole folder. */
  private def markWhole(): Unit =
    try store.create(s"${commit.work}/new/_SUCCESS", "")
    catch { case _: FileAlreadyExistsException => () }

  override def acknowledge(): Unit = commit.acknowledge()

  override def discard(): Unit = commit.abandon()

  /** Names below a folder of all files that are data. */
  private def filesBelow(folder: Path): Seq[String] = {
    val found = files.listFiles(folder, true)
    Iterator.continually(found.hasNext).takeWhile(identity).map(_ => found.next().getPath).map(
      _.toString.stripPrefix(s"$folder/")
    ).filterNot(_.split('/').exists(FolderRules.isHidden)).toSeq.sorted
  }
}

private object PathOutput {
  private val log = LoggerFactory.getLogger(classOf[PathOutput])

  private def warnOfCopies(target: Dataset): Unit =
    log.warn(
      s"$target is on a file system that copies instead of renaming: a dead job is recovered, " +
        "but a second job is not prevented from writing at the same time"
    )
}
