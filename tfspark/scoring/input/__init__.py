"""The input of a job: lists, checks, splits and reads its files. Driver and executor."""
