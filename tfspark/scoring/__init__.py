"""The batch job as a library, for `jobs/` and for schedulers. Driver and executor."""
