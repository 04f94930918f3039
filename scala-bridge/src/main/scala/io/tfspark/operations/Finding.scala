package io.tfspark.operations

/** An operation of a model that touches more than tensors. Serialisable.
  *
  * @param op the operation, such as `WriteFile`; `allowOps` takes this name
  * @param touches what it touches: files, the network, other processes, …
  * @param node the node that runs it
  * @param function the function of the node; empty for the graph itself
  */
final case class Finding(op: String, touches: String, node: String, function: String) {
  override def toString: String = {
    val of = if (function.isEmpty) "" else s" of '$function'"
    s"$op in node '$node'$of touches $touches"
  }
}
