from pathlib import Path

from tfspark import load


def test_only_random_operations_that_a_signature_runs_count(tmp_path: Path) -> None:
    import tensorflow as tf

    class Noisy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
        def train(self, x):
            return {"y": x + tf.random.uniform(tf.shape(x)) + tf.random.normal(tf.shape(x))}

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
        def serve(self, x):
            return {"y": x * 2}

    model = Noisy()
    tf.saved_model.save(model, str(tmp_path / "plain"), {"serving_default": model.serve})
    tf.saved_model.save(model, str(tmp_path / "noisy"), {"serving_default": model.train})
    assert load(tmp_path / "plain").random == ()
    assert load(tmp_path / "noisy").random == ("RandomStandardNormal", "RandomUniform")
