"""The input of a job: state, headers, versions and broken records. Driver and executor."""
