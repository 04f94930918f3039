package io.tfspark

import java.nio.file.Paths

import io.tfspark.engine._
import io.tfspark.score._
import io.tfspark.sql._
import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD

/** Scores an RDD by broadcast and mapPartitions. Planned on the driver, runs on executors.
  *
  * A live model cannot be serialised, so its files are broadcast; each JVM loads it once for all
  * task threads, and scores a partition batch by batch.
  */
private object RddScorer {
  def apply(rows: RDD[Seq[Any]], path: String, options: ScoreOptions): RDD[Seq[Any]] = {
    val context = rows.sparkContext
    val located = ModelCatalog.at(path, options, context.hadoopConfiguration)
    val model = located.model
    Notices.sayIfRandom(model)
    val signature = options.signatureOf(model)
    val source = ModelSource.Packed(PackedModel.of(Paths.get(model.path), context))
    val kept = BridgeConf.cacheModels
    rows.mapPartitionsWithIndex(
      (partition, values) => {
        val task = TaskContext.get()
        val key = SessionKey(model.digest, model.tags, source, model.size, task.cpus())
        def scorer = {
          val lease = SessionCache.shared.lease(key, kept)
          val outputs = signature.outputs.map(_.name)
          val origin = Origin(model.title, Some(partition))
          TaskEnd.runner(task, lease)(
            new ValueScorer(_, signature, outputs, options, origin)
          )
        }
        if (values.hasNext) scorer.score(values) else Iterator.empty
      },
      preservesPartitioning = true
    )
  }
}
