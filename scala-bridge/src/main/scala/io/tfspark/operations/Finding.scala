package io.tfspark.operations

/** An operation of a model that accesses more than tensors. Serialisable.
  *
  * @param op the operation, such as `WriteFile`; `allowOps` takes this name
  * @param touches what it accesses: files, the network, other processes, …
  * @param node the node that runs it
  * @param function the function of the node; empty for the graph itself
  */
final case class Finding(op: String, touches: String, node: String, function: String) {
  override def toString: String = {
    val of = if (function.isEmpty) "" else s" of '${Finding.short(function)}'"
    s"${Finding.short(op)} in node '${Finding.short(node)}'$of touches $touches"
  }
}

private object Finding {
  private val longest = 200

  /** A name of the model for a message; it may be of any length. */
  private def short(name: String): String =
    if (name.codePointCount(0, name.length) <= longest) name
    else name.substring(0, name.offsetByCodePoints(0, longest)) + "…"
}
