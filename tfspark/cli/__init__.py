"""The command `tfspark`, and the programs of the batch job and of the SQL job. Driver.

Each command is one module with `new_parser()` and `main(argv)`. `command.py` lists them and imports
only the one that is called, so that help is fast.
"""
