package io.tfspark.error

/** Any error that tfspark raises on purpose; driver and executor.
  *
  * The same tree as Python's `tfspark.errors`, with the same words: a problem, `expected:`,
  * `found:`, `Hint:`. Every message is escaped and masked by `ForeignText`. Errors that can be
  * found before a job are raised before the job; errors that only the data shows name model,
  * partition and row.
  *
  * @param exitCode the exit code of a job, as in sysexits (2 usage, 65 data, 66 no input, 70
  *   internal, 73 cannot create, 75 try again)
  */
sealed abstract class TfsparkException(message: String, val exitCode: Int, cause: Option[Throwable])
// Not every message is built by `Explain`; each can contain names and text from outside.
    extends RuntimeException(ForeignText.lines(message), cause.orNull)

/** An option or argument that has an invalid value. */
final class UsageException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 2, cause)

/** No SavedModel, or not the version asked for, at a path. */
final class ModelNotFoundException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** A SavedModel that exists but is broken, incomplete or changed. */
final class InvalidModelException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** A SavedModel with operations that access more than tensors and are not allowed. */
final class ForbiddenOperationException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** A SavedModel without the signature or the tag set asked for. */
final class SignatureNotFoundException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** Inputs and columns that do not fit; the message lists every mismatch. */
final class BindingException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** A row that cannot be fed to the model; the message names model, partition, row and column. */
final class RowException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** The engine could not load or run the model. */
final class EngineException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** An input of a job that does not have the format or schema that it is read with. */
final class InvalidInputException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 65, cause)

/** The input path or table of a job does not exist. */
final class InputNotFoundException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 66, cause)

/** The output of a job already exists, and the mode does not allow to change it. */
final class OutputExistsException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 73, cause)

/** Another job writes to the output, or took it over; the same command can be run again. */
sealed class OutputBusyException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 75, cause)

/** The run was paused for so long that another one took over. */
final class LockLostException(message: String, cause: Option[Throwable] = None)
    extends OutputBusyException(message, cause)

/** The job decided to publish, but not all rows may be visible; the same command finishes it. */
final class UnfinishedOutputException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 75, cause)

/** The job could not publish its rows, or Spark failed. */
final class JobFailedException(message: String, cause: Option[Throwable] = None)
    extends TfsparkException(message, 70, cause)
