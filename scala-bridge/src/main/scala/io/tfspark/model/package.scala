package io.tfspark

package object model {

  /** Sizes of a tensor's dimensions; nothing for one that is unknown. */
  type Shape = Seq[Option[Long]]
}
