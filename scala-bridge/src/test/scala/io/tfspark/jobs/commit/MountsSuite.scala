package io.tfspark.jobs.commit

import java.nio.file.{Files, Path}

import org.scalatest.funsuite.AnyFunSuite

/** The types of mounts, from a list as Linux keeps it. */
class MountsSuite extends AnyFunSuite {
  private val mounts = """1 0 8:1 / / rw - ext4 /dev/sda1 rw
    |2 1 0:50 / /mnt/bucket rw shared:1 - fuse.s3fs s3fs rw
    |3 1 0:51 / /mnt/a\040disk rw - fuseblk /dev/sdb1 rw
    |4 2 0:52 / /mnt/bucket/local rw - xfs /dev/sdc1 rw
    |5 1 0:53 / /mnt/twice rw - xfs /dev/sdd1 rw
    |6 5 0:54 / /mnt/twice rw - fuse goofys rw
    |""".stripMargin

  test("the type of a mount, and whether it is an object store") {
    val list = Files.writeString(Files.createTempFile("mounts", ""), mounts)
    Seq(
      "/data/out" -> ("ext4" -> false),
      "/mnt/bucket" -> ("fuse.s3fs" -> true),
      "/mnt/bucket/deep/out" -> ("fuse.s3fs" -> true),
      "/mnt/bucket-2/out" -> ("ext4" -> false),
      "/mnt/bucket/local/out" -> ("xfs" -> false),
      "/mnt/a disk/out" -> ("fuseblk" -> false),
      "/mnt/twice/out" -> ("fuse" -> true)
    ).foreach { case (path, (kind, isFuse)) =>
      assert(Mounts.typeAt(path, list) == kind, path)
      assert(Mounts.isFuse(kind) == isFuse, kind)
    }
    assert(Mounts.typeAt("/data/out", Path.of("/no/such/list")).isEmpty)
  }
}
