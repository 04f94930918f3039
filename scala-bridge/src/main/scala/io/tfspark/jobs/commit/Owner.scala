package io.tfspark.jobs.commit

import java.io.IOException
import java.net.{InetAddress, UnknownHostException}
import java.nio.charset.StandardCharsets.ISO_8859_1
import java.nio.file.{Files, Path, Paths}

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode

/** The owner of a lock: identifies one process among all machines. Driver.
  *
  * The lock of an ended process can be taken over at once. Only a process on the same machine and
  * in the same process namespace (a container has its own) can detect the end, by the start time.
  *
  * @param machine identifies the boot of the machine and the process namespace; empty when unknown
  * @param started start time in ticks since the boot; empty when unknown
  */
final private[jobs] case class Owner(
    host: String,
    machine: String,
    pid: Long,
    started: String,
    user: String
) {

  /** Whether the process is known to have ended; false when this is unknown. */
  def hasEnded: Boolean =
    isHere && {
      val found = Owner.startOf(pid)
      found != started && (found.nonEmpty || wouldBeSeen)
    }

  /** Whether the process is known to run; false when this is unknown. */
  def isRunning: Boolean = isHere && Owner.startOf(pid) == started

  private def isHere: Boolean =
    machine.nonEmpty && started.nonEmpty && machine == Owner.thisMachine

  /** Whether this process would see the other one; `/proc` may hide those of other users. */
  private def wouldBeSeen: Boolean =
    user == sys.props.getOrElse("user.name", "") || Files.exists(Paths.get("/proc/1/stat"))

  def toJson: ObjectNode =
    Json.node().put("host", host).put("machine", machine).put("pid", pid).put("started", started)
      .put("user", user)

  override def toString: String = s"process $pid of $user on $host"
}

private[jobs] object Owner {

  /** The current process. */
  def ofThisProcess: Owner = {
    val pid = ProcessHandle.current.pid
    Owner(hostName, thisMachine, pid, startOf(pid), sys.props.getOrElse("user.name", ""))
  }

  /** An unknown owner, which may still be working. */
  val unknown: Owner = Owner("", "", 0, "", "")

  def of(json: JsonNode): Owner = {
    def text(name: String) = ForeignRecord.text(json, name)
    val pid = json.path("pid")
    if (!pid.isIntegralNumber) throw new OddRecordException(s"$json is not a process")
    Owner(text("host"), text("machine"), pid.asLong, text("started"), text("user"))
  }

  private def hostName: String =
    try InetAddress.getLocalHost.getHostName
    catch { case _: UnknownHostException => "localhost" }

  private lazy val thisMachine: String =
    try {
      val boot = read(Paths.get("/proc/sys/kernel/random/boot_id")).trim
      s"$boot/${Files.readSymbolicLink(Paths.get("/proc/self/ns/pid"))}"
    } catch { case _: IOException => "" }

  /** The start time of a process; empty for no process or a zombie. */
  private def startOf(pid: Long): String =
    try {
      val status = read(Paths.get(s"/proc/$pid/stat"))
      // The name in parentheses may hold blanks.
      val fields = status.drop(status.lastIndexOf(')') + 1).trim.split("\\s+")
      if (Set("Z", "X")(fields.head)) "" else fields(19)
    } catch { case _: IOException => "" }

  private def read(path: Path): String = Files.readString(path, ISO_8859_1)
}
