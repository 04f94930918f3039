"""The outputs of a job: a protocol, and one file for each kind of target. Driver."""
