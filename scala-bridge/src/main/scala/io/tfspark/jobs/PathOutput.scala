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

/** A folder of files: staged in a hidden folder beside it, then committed. Driver.
  *
  * Exactly the counted files are published. They are moved one by one out of the folder that tasks
  * write to. A file that a lost attempt writes there later is not published.
  * `tfspark/scoring/output/README.md` describes the commit and the files that a dead job leaves.
  *
  * @param path qualified path of the folder, behind its links
  */
private[jobs] class PathOutput(
    spark: SparkSession,
    target: Dataset,
    mode: String,
    run: String,
    protected val path: Path
) extends Output {
  if (Option(path.getParent).isEmpty)
    throw new UsageException(Explain(s"$path is a whole file system.", expected = "a folder in it"))
  protected val conf: Configuration = HadoopConf.of(spark)
  protected val files: FileSystem = path.getFileSystem(conf)
  protected val (store: Store, root: String) = Stores.of(path, conf)
  protected val lock: Lock = new Lock(store, HiddenFolder(root), run, Owner.ofThisProcess)
  protected val commit: Commit = new Commit(lock, new SessionTables(spark, path))
  private val rules =
    new FolderRules(spark, target, mode, files, path, alreadyThere, columnsHint)
  private val movable = new MovableFolder(store, path, root)

  /** The folder that Spark writes to. It needs the URI of a local path if its default file system
    * is not the local one.
    */
  protected val written: Path = new Path(HiddenFolder(path.toString).work(run), "spark")

  private var columns = StructType(Nil)
  protected var isCompared: Boolean = false
  private var taken = Seq.empty[String]

  /** After a dead job, `begin` recovers first and checks then. */
  override def check(inputs: Seq[String]): Unit = {
    Places.checkCreatable(files, path)
    Places.checkCreatable(files, new Path(HiddenFolder(path.toString).lock(1)))
    lock.checkFolder()
    OwnInput.refuse(path, inputs, mode, conf)
    if (!hasLeftover) checkThere()
  }

  /** The error of a folder that exists in mode `error`. */
  protected def alreadyThere: OutputExistsException = Output.alreadyThere(target)

  /** What to do if existing files have other columns. */
  protected def columnsHint: String = Output.chooseColumns

  /** Refuse an existing target that the mode forbids, or that files cannot be moved into. */
  protected def checkThere(): Unit = {
    rules.checkThere()
    movable.refuseMount()
  }

  override def checkSources(sources: Seq[Source]): Unit = OwnInput.refuseFiles(path, sources, mode)

  override def refuseStale(planned: Seq[Source], read: => DataFrame): Unit = {
    refreshFiles()
    OwnInput.refuseStale(path, planned, Source.of(read))
  }

  /** Let Spark list the files of a table again; it never remembers those of a folder. */
  protected def refreshFiles(): Unit = ()

  override def checkColumns(schema: StructType): Unit = {
    rules.checkWritable(schema)
    columns = schema
    isCompared = !hasLeftover
    if (isCompared) checkSame(schema)
  }

  /** Refuse rows with other columns than the existing rows. */
  protected def checkSame(schema: StructType): Unit = rules.checkAppend(schema)

  override def place: Option[Path] = Some(path)

  override def recordsRuns: Boolean = true

  override def hasLeftover: Boolean = store.exists(lock.places.path)

  override def isDecided: Boolean = commit.isDecided

  override def mayHavePublished(job: JobKey): Boolean = commit.hasPublished(job)

  override def begin(job: JobKey): Option[Journal] = {
    val isChanged = hasLeftover || !isCompared
    val done = commit.begin(job)
    if (done.isEmpty) {
      checkAgain(isChanged)
      open()
    }
    done
  }

  /** Check again, because other jobs could write before the lock was held. */
  protected def checkAgain(isChanged: Boolean): Unit = {
    checkThere()
    if (isChanged) checkSame(columns)
    movable.warnWithoutGuarantee(target)
  }

  /** Make the folder of the run; refuse an output that the job cannot change. */
  protected def open(): Unit = {
    commit.openWork()
    if (store.exists(root)) {
      if (mode == "overwrite") movable.refuseFixed(commit.work)
      else if (target.partitionBy.isEmpty) movable.refuseClosed(commit.work, Seq("file"))
    }
  }

  override def stage(rows: DataFrame): Unit = {
    write(rows)
    taken = filesBelow(written)
    commit.count("spark", taken)
  }

  /** Let Spark write rows. */
  protected def write(rows: DataFrame): Unit = BlankLines.refusing(target, rows) {
    _.write
      .format(target.format)
      .options(target.writeOptions)
      .partitionBy(target.partitionBy: _*)
      .save(written.toString)
  }

  override def publish(account: ObjectNode): Unit = {
    val exists = store.exists(root)
    // Another program created it after the check.
    if (exists && mode == "error") throw alreadyThere
    val isWhole = !exists || mode != "append"
    if (isWhole) markWhole() else movable.refuseClosed(commit.work, taken)
    val names = taken ++ Option.when(isWhole)(HiddenFolder.Success)
    commit.publish(mode, names, account, tableRecord)
  }

  /** The table of the files; none for a plain folder. */
  protected def tableRecord: Option[TableRecord] = None

  /** Mark the folder as complete, as Spark does. */
  private def markWhole(): Unit =
    try store.create(s"${commit.work}/new/${HiddenFolder.Success}", "")
    catch { case _: FileAlreadyExistsException => () }

  override def acknowledge(): Unit = commit.acknowledge()

  override def discard(): Unit = commit.abandon()

  /** Names below a folder of all files that are data. */
  private def filesBelow(folder: Path): Seq[String] = {
    val found = files.listFiles(folder, true)
    val names = Iterator.continually(found.hasNext).takeWhile(identity)
      .map(_ => found.next().getPath.toString.stripPrefix(s"$folder/")).toSeq.sorted
    Partitions.refuseHidden(target, names)
    names.filterNot(_.split('/').exists(FolderRules.isHidden))
  }
}

private[jobs] object PathOutput {

  /** The output at the path of a target. */
  def at(spark: SparkSession, target: Dataset, mode: String, run: String): PathOutput = {
    val folder = Stores.qualified(new Path(target.path.mkString), HadoopConf.of(spark))
    new PathOutput(spark, target, mode, run, folder)
  }
}
