"""Reading the files that a user gives with `--data`: one module a kind of file, one error for all.

What is missing, empty or of another layout is said in words before any training starts.
"""
