"""The outputs of a job: one file for each kind of target."""
