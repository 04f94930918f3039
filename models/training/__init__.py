"""Parts of the training of every model: devices, checkpoints, curves and reports."""
