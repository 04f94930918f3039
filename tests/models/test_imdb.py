import re
import string
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from models import imdb
from models.reading.reviews import Reviews
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

RAW = [
    "A GOOD film.<br /><br />Truly: good!",
    "it's bad,bad<br/>BAD",
    "",
    "  \t?! ",
    "Größe ÄRGER",
]


def by_hand(text):
    lower = re.sub(r"<br\s*/?>", " ", text.lower())
    return "".join(c for c in lower if c not in string.punctuation)


@pytest.fixture(scope="module")
def data():
    every = imdb.dataset()
    return Reviews(*(column[:400] for column in every))


@pytest.fixture(scope="module")
def trained(data):
    model = imdb.build()
    return model, imdb.train(model, data, epochs=2)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return imdb.export(trained[0], tmp_path_factory.mktemp("base"))


def test_made_up_reviews_have_two_labels_tags_and_punctuation(data):
    assert set(data.positive) == set(data.test_positive) == {0, 1}
    assert any("<br />" in text for text in data.text)
    assert any("!" in text for text in data.text)
    assert max(len(text.split()) for text in data.text) > imdb.LENGTH


@pytest.mark.parametrize(
    ("build", "parameters"),
    [(imdb.build, 80_945), (imdb.build_sequential, 80_945), (imdb.build_functional, 78_938)],
)
def test_number_of_parameters(build, parameters):
    assert build().network.count_params() == parameters


def test_text_is_cleaned_as_by_hand():
    found = [text.decode() for text in imdb.clean(tf.constant(RAW)).numpy()]
    assert found == [by_hand(text) for text in RAW]
    assert found[0].split() == ["a", "good", "film", "truly", "good"]


def test_tokens_are_those_of_the_words_by_hand(trained, data):
    model, _ = trained
    known = {word: i for i, word in enumerate(model.words.get_vocabulary())}
    rows = [*data.test_text[:50], *RAW, "never1 heard2", "word1 " * 300]
    tokens = model.tokens(np.array(rows, object))
    for row, found in zip(rows, tokens, strict=True):
        expected = [known.get(word, 1) for word in by_hand(row).split()][: imdb.LENGTH]
        assert found.tolist() == expected + [0] * (imdb.LENGTH - len(expected))
    assert tokens[-2].tolist()[:3] == [1, 1, 0]


def test_most_frequent_words_are_kept():
    words = [f"w{i}" for i in range(imdb.WORDS + 100)]
    model = imdb.build_sequential()
    model.words.adapt([" ".join(words), "w10099 w5"])
    assert len(model.words.get_vocabulary()) == imdb.WORDS
    assert sorted(model.words.get_vocabulary()[2:4]) == ["w10099", "w5"]


def test_loop_returns_curves_and_learns(trained, data):
    model, curves = trained
    assert curves.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(curve) == 2 for curve in curves.values())
    metrics = imdb.evaluate(model, data)
    assert list(metrics) == ["accuracy", "auc", "loss"]
    assert metrics["accuracy"] == pytest.approx(curves["val_accuracy"][-1])
    assert metrics["loss"] == pytest.approx(curves["val_loss"][-1], rel=1e-4)


def test_functional_form_trains_by_fit_and_serves(data, tmp_path, monkeypatch, described):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = imdb.build_functional()
    curves = imdb.train_by_fit(model, Reviews(*(column[:100] for column in data)), epochs=1)
    assert {"loss", "accuracy", "auc", "val_auc"} <= curves.keys()
    kept = [path.name for path in tmp_path.iterdir()]  # AutoGraph keeps its sources until the end
    assert [name for name in kept if not name.startswith("__autograph_generated")] == []
    path = imdb.export(model, tmp_path / "base")
    assert described(path) == (["text: string (None,)"], ["positive: float32 (None, 1)"])


def test_export_takes_raw_text(path, serve, described, trained, data):
    assert path.parts[-2:] == ("imdb", "1")
    assert described(path) == (["text: string (None,)"], ["positive: float32 (None, 1)"])
    model, _ = trained
    rows = np.array([*data.test_text[:50], *RAW], object)
    expected = model(tf.constant(rows))["positive"]
    np.testing.assert_allclose(serve(path, text=rows)["positive"], expected, rtol=1e-5)


def test_export_reads_what_is_left_of_a_text(path, serve):
    pairs = ["GOOD1, <br />bad2!", "good1 bad2", "", "?!"]
    a, b, c, d = serve(path, text=np.array(pairs, object))["positive"].tolist()
    assert (a, c) == (b, d)


def test_export_takes_bytes_that_are_no_utf8(path, serve):
    answer = serve(path, text=np.array([b"\xff\xfe good1", b"\x00"], object))["positive"]
    assert np.isfinite(answer).all()


def write(folder, **parts):
    for name, text in parts.items():
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8")


def test_files_are_read_as_they_are(tmp_path):
    write(tmp_path, train='1\tsaid "good\n0\tNA\n0\t\n', test="0\t1\n")
    (tmp_path / "test.csv").write_text("1\tcsv, but tabs\n")
    data = imdb.dataset(folder=tmp_path)
    assert data.text.tolist() == ['said "good', "NA", ""]
    assert data.positive.tolist() == [1, 0, 0]
    assert data.test_text.tolist() == ["csv, but tabs"]


@pytest.mark.parametrize(
    ("train", "error", "words"),
    [
        (None, InputNotFoundError, r"No file train\.tsv(.|\n)*Hint: put it there"),
        ("", DataError, "cannot be read as a table"),
        ("label\treview\n1\tgood\n", DataError, "line 1 starts with 'label'"),
        ("1\tgood\n2\tbad\n", DataError, "1 of 2"),
        ("1\tgood\n0\tbad\tmore\n", DataError, "cannot be read as a table"),
        ("1 good\n", DataError, "another layout"),
    ],
)
def test_other_files_are_refused_in_words(tmp_path, train, error, words):
    write(tmp_path, test="1\tgood\n", **({} if train is None else {"train": train}))
    with pytest.raises(error, match=words):
        imdb.dataset(folder=tmp_path)
