package io.tfspark

package object model {

  /** Sizes of a tensor's dimensions; `None` for an unknown size. */
  type Shape = Seq[Option[Long]]
}
