import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from models import reuters
from models.reading.newswires import Newswires
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

LAYER = reuters.FixedLength()


def objects(*rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


@pytest.fixture(scope="module")
def data():
    return reuters.dataset()


@pytest.fixture(scope="module")
def few(data):
    return Newswires(*(column[:250] for column in data))


@pytest.fixture(scope="module")
def trained(few):
    model = reuters.build()
    return model, reuters.train(model, few, epochs=1)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return reuters.export(trained[0], tmp_path_factory.mktemp("base"))


def test_a_fifth_is_held_out_and_follows_the_seed(data):
    assert (len(data.tokens), len(data.test_tokens)) == (3200, 800)
    assert set(data.topics) == set(range(46))
    lengths = {len(row) for row in data.tokens}
    assert min(lengths) < 50
    assert max(lengths) > 300
    np.testing.assert_array_equal(data.topics, reuters.dataset(0).topics)
    assert not np.array_equal(data.topics, reuters.dataset(1).topics)


def test_number_of_parameters():
    assert reuters.build().count_params() == 185_982


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([], [0] * 300),
        ([5, 9998, 7], [5, 9998, 7] + [0] * 297),
        ([-1, 9999, 10_000, 2**31 - 1, 0], [9999] * 4 + [0] * 296),
        (range(1, 400), list(range(1, 301))),
    ],
)
def test_rows_are_cut_filled_up_and_kept_in_the_vocabulary(row, expected):
    assert LAYER(np.array([row], np.int32)).numpy().tolist() == [expected]


def test_macro_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    topics, probabilities = rng.integers(0, 40, 500), rng.random((500, 46))
    probabilities[np.arange(200), topics[:200]] += 1
    metric = reuters.MacroF1()
    assert float(metric.result()) == 0.0
    for part in (slice(0, 300), slice(300, 500)):
        metric.update_state(topics[part], probabilities[part])
    expected = f1_score(topics, probabilities.argmax(axis=1), average="macro")
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_three_ways_to_train_give_the_same_weights(few, trained):
    by_fit, curves = trained
    assert curves.keys() == {"loss", "accuracy", "top5", "f1"}
    for train in (reuters.train_on_batch, reuters.train_loop):
        model = reuters.build()
        other = train(model, few, epochs=1)
        assert {"loss", "f1"} <= other.keys() <= curves.keys()
        assert other["loss"] == pytest.approx(curves["loss"], rel=1e-4)
        for weight, expected in zip(model.get_weights(), by_fit.get_weights(), strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-4)


def test_batches_by_hand_and_the_loop_go_on_alike(few):
    models = reuters.build(), reuters.build()
    one, two = (
        train(model, few, epochs=2)
        for train, model in zip((reuters.train_on_batch, reuters.train_loop), models, strict=True)
    )
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)
    assert one["loss"][1] < one["loss"][0]
    for weight, expected in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-4)


def test_evaluation_leads_with_accuracy(trained, few):
    metrics = reuters.evaluate(trained[0], few)
    assert list(metrics) == ["accuracy", "top5", "f1", "loss"]
    padded = keras.utils.pad_sequences(few.test_tokens, 300, padding="post", truncating="post")
    found = trained[0](padded).numpy().argmax(axis=1)
    assert metrics["accuracy"] == pytest.approx((found == few.test_topics).mean())


def test_export_has_the_documented_names(path, described):
    assert path.parts[-2:] == ("reuters", "1")
    assert described(path) == (
        ["tokens: int32 (None, None)"],
        [
            "probabilities: float32 (None, 46)",
            "top_topics: int64 (None, 5)",
            "topic: int64 (None,)",
        ],
    )


@pytest.mark.parametrize("length", [0, 1, 299, 300, 301, 1000])
def test_export_takes_lists_of_any_length(path, serve, trained, length):
    tokens = np.random.default_rng(length).integers(-5, 12_000, (3, length)).astype(np.int32)
    answer = serve(path, tokens=tokens)

    expected = trained[0](tokens).numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-4, atol=1e-7)
    order = np.argsort(-answer["probabilities"], axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(answer["top_topics"], order)
    np.testing.assert_array_equal(answer["topic"], order[:, 0])


def test_padding_changes_no_answer(path, serve):
    row = [112, 1021, 9, 4]
    answer = serve(path, tokens=[row])["probabilities"]
    padded = serve(path, tokens=[row + [0] * 60])["probabilities"]
    np.testing.assert_allclose(padded, answer, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (objects([1, 2], [3], [], [4, 5, 6], [7]), np.array([0, 45, 3, 3, 3])),
        (objects([1, 2], [3], [], [4, 5, 6], [7]), objects(0, 45, 3, 3, 3)),
        (np.ones((5, 3), np.int64), np.array([0, 45, 3, 3, 3])),
    ],
)
def test_forms_of_the_file_that_are_read(tmp_path, x, y):
    np.savez(tmp_path / "reuters.npz", x=x, y=y)
    data = reuters.dataset(folder=tmp_path)
    found = [(row.tolist(), int(topic)) for row, topic in zip(*data[:2], strict=True)]
    found += [(row.tolist(), int(topic)) for row, topic in zip(*data[2:], strict=True)]
    assert sorted(found) == sorted((list(row), int(topic)) for row, topic in zip(x, y, strict=True))
    assert (len(data.tokens), len(data.test_tokens)) == (4, 1)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": objects([1])}, "y is not a file"),
        ({"x": objects([1], [2]), "y": [1]}, r"2 token lists, topics of int64 \(1,\)"),
        ({"x": objects([1]), "y": [46]}, "from 46 to 46"),
        ({"x": objects([1]), "y": [0.5]}, "topics of float64"),
        ({"x": objects(), "y": []}, "0 token lists"),
        ({"x": objects([1], [1, "a"]), "y": [1, 1]}, "row 1 of 'x' is"),
        ({"x": objects([1], [[1], [2, 3]]), "y": [1, 1]}, "row 1 of 'x' is"),
        ({"x": objects([2**40]), "y": [1]}, "row 0 of 'x' is"),
        ({"x": objects(None), "y": [1]}, "row 0 of 'x' is None"),
    ],
)
def test_other_arrays_are_refused_in_words(tmp_path, arrays, words):
    np.savez(tmp_path / "reuters.npz", **arrays)
    with pytest.raises(DataError, match=words):
        reuters.dataset(folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_broken_files_are_refused_in_words(tmp_path, content):
    (tmp_path / "reuters.npz").write_bytes(content)
    with pytest.raises(DataError, match="is not a Reuters file"):
        reuters.dataset(folder=tmp_path)


def test_missing_file_is_said(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"No file reuters\.npz"):
        reuters.dataset(folder=tmp_path)
