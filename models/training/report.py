"""Writes the report of a training beside its export: curves, metrics and a model card.

The report is the folder `<base>/<name>/training/<version>/` with `curves.png`, `metrics.json` and
`README.md`. It is not inside the export dir, which contains only the model. The name `training` is
not a number, so every server ignores the folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from tfspark.package import load

__all__ = ["Training", "write_report"]


@dataclass(frozen=True)
class Training:
    """The facts of one training.

    Attributes:
        name: name of the model on the command line.
        summary: one line about the model.
        data: origin of the data, as text.
        device: the device.
        seed: seed of data and weights.
        seconds: duration of the training alone.
        metrics: on the held-out data, the most important one first.
        curves: one value per epoch, by quantity; empty without training.
    """

    name: str
    summary: str
    data: str
    device: str
    seed: int
    seconds: float
    metrics: Mapping[str, float]
    curves: Mapping[str, Sequence[float]]


def write_report(training: Training, export_dir: Path) -> Path:
    """Write the report of the training that gave an export dir.

    Args:
        training: its facts.
        export_dir: `<base>/<name>/<version>`, which must exist.

    Returns:
        The folder of the report.
    """
    folder = export_dir.parent / "training" / export_dir.name
    folder.mkdir(parents=True, exist_ok=True)
    metrics = {
        "model": training.name,
        "export": str(export_dir),
        "data": training.data,
        "device": training.device,
        "seed": training.seed,
        "seconds": round(training.seconds, 2),
        "metrics": dict(training.metrics),
        "curves": {name: list(map(float, values)) for name, values in training.curves.items()},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    if training.curves:
        _figure(training.curves).savefig(folder / "curves.png", dpi=100)
    (folder / "README.md").write_text(_card(training, export_dir))
    return folder


def _figure(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Draw one panel per quantity, training and validation (`val_…`) together."""
    quantities = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    figure = Figure(figsize=(4 * len(quantities), 3), layout="constrained")
    for axes, quantity in zip(
        figure.subplots(1, len(quantities), squeeze=False)[0], quantities, strict=True
    ):
        for name, label in ((quantity, "training"), (f"val_{quantity}", "validation")):
            if name in curves:
                epochs = range(1, len(curves[name]) + 1)
                axes.plot(epochs, curves[name], label=label, marker="." if len(epochs) < 30 else "")
        axes.set(title=quantity, xlabel="epoch")
        axes.legend()
    return figure


def _card(training: Training, export_dir: Path) -> str:
    """Write the model card: purpose, data, figures, signatures, how to score."""
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in training.metrics.items())
    curves = "\n![Curves](curves.png)\n" if training.curves else ""
    return f"""# {training.name}

{training.summary[:1].upper()}{training.summary[1:]}.

- **Data.** {training.data}
- **Training.** {training.seconds:.1f} s on {training.device}, seed {training.seed}.
- **Export.** `{export_dir}`

| on held-out data | |
|---|---|
{rows}
{curves}
## Signatures

```
{load(export_dir).describe()}
```

## Scoring

```python
import tfspark

scored = tfspark.predict(df, "{export_dir}")
```

## Limits

The figures are valid only for data like the data above. `models/{training.name}.py` describes the
inputs, and the handling of missing and unknown values, in its first lines.
"""
