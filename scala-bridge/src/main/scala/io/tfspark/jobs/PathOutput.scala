package io.tfspark.jobs

import java.nio.file.FileAlreadyExistsException

import com.fasterxml.jackson.databind.node.ObjectNode
import io.tfspark.error._
import io.tfspark.jobs.commit._
import io.tfspark.sql.HadoopConf
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types.StructType
import org.slf4j.LoggerFactory

/** A folder of files: staged in a hidden folder beside it, then committed. Driver.
  *
  * Exactly the counted files are published. They are moved one by one out of the folder that tasks
  * write to. A file that a lost attempt writes there later is not published.
  * `tfspark/scoring/output/README.md` describes the commit and the files that a dead job leaves.
  */
private[jobs] class PathOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String
) extends Output {
  protected val conf: Configuration = HadoopConf.of(spark)
  private val asGiven = new Path(target.path.mkString)
  private val files: FileSystem = asGiven.getFileSystem(conf)
  protected val path: Path = Stores.behindLink(files.makeQualified(asGiven))
  if (Option(path.getParent).isEmpty)
    throw new UsageException(Explain(
      s"${target.path.mkString} is a whole file system.",
      expected = "a folder in it"
    ))
  private val rules = new FolderRules(spark, target, mode, files, path)
  protected val (store: Store, root: String) = Stores.of(path, conf)
  protected val lock: Lock = new Lock(store, HiddenFolder(root), run, Owner.ofThisProcess)
  protected val commit: Commit = new Commit(lock)

  private var inputs = Seq.empty[String]
  private var columns = StructType(Nil)
  protected var isCompared: Boolean = false
  private var taken = Seq.empty[String]

  /** After a dead job, `begin` recovers first and checks then. */
  override def check(inputs: Seq[String]): Unit = {
    Places.checkCreatable(files, path)
    Places.checkCreatable(files, new Path(HiddenFolder(path.toString).lock(1)))
    this.inputs = inputs
    if (!hasLeftover) rules.checkThere(inputs)
  }

  override def checkColumns(schema: StructType): Unit = {
    rules.checkWritable(schema)
    columns = schema
    isCompared = !hasLeftover
    if (isCompared) rules.checkAppend(schema)
  }

  override def place: Option[Path] = Some(path)

  override def hasLeftover: Boolean = store.exists(lock.places.path)

  override def isDecided: Boolean = commit.isDecided

  override def begin(job: JobKey): Option[Journal] = {
    val isChanged = hasLeftover || !isCompared
    val done = commit.begin(job)
    if (done.isEmpty) {
      checkAgain(isChanged)
      commit.openWork()
    }
    done
  }

  /** Check again, because other jobs could write before the lock was held. */
  protected def checkAgain(isChanged: Boolean): Unit = {
    rules.checkThere(inputs)
    if (isChanged) rules.checkAppend(columns)
    if (!store.isAtomic) PathOutput.warnOfCopies(target)
  }

  override def stage(rows: DataFrame): Unit = {
    // Spark needs the URI of a local path if its default file system is not the local one.
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
    // Another program created it after the check.
    if (exists && mode == "error") throw Output.alreadyThere(target)
    val isWhole = !exists || mode != "append"
    if (isWhole) markWhole()
    commit.publish(mode, taken ++ Option.when(isWhole)(HiddenFolder.Success), account)
  }

  /** Mark the folder as complete, as Spark does. */
  private def markWhole(): Unit =
    try store.create(s"${commit.work}/new/${HiddenFolder.Success}", "")
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
