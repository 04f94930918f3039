"""The batch job as a library: what `jobs/` runs, and what a scheduler may call directly."""
