import json
import subprocess
import sys

import pytest
import tensorflow as tf

from models.refusal import DeviceError
from models.training.devices import choose
from models.training.report import Training, write_report
from tfspark.testing import save_linear


@pytest.fixture
def training():
    return Training(
        name="plane",
        summary="a plane",
        data="Drawn from the seed.",
        device="one CPU",
        seed=3,
        seconds=1.25,
        metrics={"mae": 0.5, "loss": 0.25},
        curves={"loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "auc": [0.5, 0.75]},
    )


def test_the_report_lies_beside_the_export(tmp_path, training):
    export_dir = save_linear(tmp_path / "plane" / "2")
    folder = write_report(training, export_dir)
    assert folder == tmp_path / "plane" / "training" / "2"
    found = json.loads((folder / "metrics.json").read_text())
    assert found["metrics"] == {"mae": 0.5, "loss": 0.25}
    assert found["curves"]["val_loss"] == [3.5, 2.5]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (folder / "README.md").read_text()
    for words in ("# plane", "| mae | 0.5000 |", "seed 3", "inputs", "curves.png"):
        assert words in card


def test_what_is_not_trained_has_no_curves(tmp_path, training):
    folder = write_report(
        Training(**{**vars(training), "curves": {}}), save_linear(tmp_path / "plane" / "1")
    )
    assert not (folder / "curves.png").exists()
    assert "curves.png" not in (folder / "README.md").read_text()


def test_one_device_trains_without_distribution():
    # OneDeviceStrategy can crash: it reads rows through TensorFlow's multi-device iterator.
    assert choose().strategy is tf.distribute.get_strategy()


TWO = """
import tensorflow as tf
[cpu] = tf.config.list_physical_devices("CPU")
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [half, half])
from models import digits
from models.training.devices import choose
devices = choose()
data = digits.dataset(0)
with devices.strategy.scope():
    model = digits.build(0)
curves = digits.train(model, data, epochs=2)
print(devices.title, devices.strategy.num_replicas_in_sync, curves["loss"][1] < curves["loss"][0])
"""


def test_two_devices_train_synchronously():
    done = subprocess.run([sys.executable, "-c", TWO], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["2 CPUs, synchronous 2 True"], done.stderr[-2000:]


def test_devices_that_do_not_answer_are_an_error_with_a_hint(monkeypatch):
    def silent(name):
        raise ValueError(f"no address for {name}")

    with monkeypatch.context() as patch:
        patch.setattr(tf.config, "list_logical_devices", lambda kind: [])
        with pytest.raises(DeviceError, match="sees no device"):
            choose()
    monkeypatch.setenv("TPU_NAME", "far")
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", silent)
    with pytest.raises(DeviceError, match=r"no address for far\nHint: .*unset TPU_NAME"):
        choose()
