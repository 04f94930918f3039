"""The batch job on raw files gives the answers of every live reference model."""

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from jobs import batch_score
from models import (
    cifar2,
    covid,
    demo_module,
    digits,
    flowers,
    heart,
    imdb,
    linear,
    mnist,
    neighbours,
    price,
    reuters,
    ring,
    titanic,
)
from tfspark.testing import check_recorded


@pytest.fixture
def job(spark, tmp_path):
    """Export a model, score an input by the job, and return the rows of the output."""

    def run(module, model, source, *flags):
        export_dir = module.export(model, tmp_path / "base")
        check_recorded(export_dir)
        args = ["--model", str(export_dir.parent), "--input", str(source), *flags]
        args += ["--output", str(tmp_path / "scored")]
        batch_score.run(spark, batch_score.parse_args(args))
        return pq.read_table(tmp_path / "scored").to_pandas()

    return run


@pytest.fixture
def parquet(tmp_path):
    def write(**columns):
        file = tmp_path / "rows.parquet"
        pq.write_table(pa.table(columns), file)
        return file

    return write


def stacked(column):
    return np.array(column.tolist())


def equal(found, expected):
    """Whether results are equal; other batch sizes may round differently."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def floats(array):
    kind = pa.float32()
    for _ in range(np.ndim(array) - 1):
        kind = pa.list_(kind)
    return pa.array(np.asarray(array).tolist(), kind)


def test_linear_and_digits(job, parquet, tmp_path):
    data = linear.dataset()
    model = linear.build()
    rows = job(linear, model, parquet(features=floats(data.test_x)), "--fetch", "outputs=y")
    equal(rows.y, model.predict(data.test_x, verbose=0)[:, 0])

    shutil.rmtree(tmp_path / "scored")
    model = digits.build()
    rows = job(digits, model, digits.write_parquet(tmp_path / "digits.parquet"))
    expected = model.predict(stacked(rows.pixels), verbose=0)
    equal(stacked(rows.probabilities), expected)
    np.testing.assert_array_equal(rows.digit, expected.argmax(axis=1))


def test_titanic_from_its_csv_with_missing_values(job, tmp_path):
    folder = titanic.write_data(tmp_path / "data")
    model = titanic.build()
    fills = [flag for fill in ("Age=nan", "Cabin=", "Embarked=") for flag in ("--fill-null", fill)]
    source = ("--input-format", "csv", "--signature", "raw", "--fetch", "survived=p")
    rows = job(titanic, model, folder / "test.csv", *source, *fills)

    table = pd.read_csv(folder / "test.csv")
    assert table.Age.isna().any()
    assert table.Cabin.isna().any()
    equal(rows.p, model.predict(titanic.features(table), verbose=0)[:, 0])


def test_titanic_from_features(job, parquet, tmp_path):
    table = pd.read_csv(titanic.write_data(tmp_path / "data") / "test.csv")
    model = titanic.build()
    features = titanic.features(table)
    rows = job(titanic, model, parquet(features=floats(features)))
    equal(rows.survived, model.predict(features, verbose=0)[:, 0])


def test_heart_from_its_csv(job, tmp_path):
    folder = heart.write_data(tmp_path / "data")
    model = heart.build()
    rows = job(heart, model, folder / "heart.csv", "--input-format", "csv", "--fetch", "target=p")
    table = pd.read_csv(folder / "heart.csv")
    columns = {name: tf.constant(table[name], dtype) for name, dtype in heart.INPUTS.items()}
    equal(rows.p, model(columns, training=False)[:, 0])


FILES = ("--input-format", "binaryFile", "--option", "recursiveFileLookup=true", "--keep", "path")


def test_cifar2_from_its_files(job, tmp_path):
    folder = cifar2.write_data(tmp_path / "data")
    data = cifar2.dataset(folder=folder)
    model = cifar2.build()
    rows = job(cifar2, model, folder / "test", *FILES, "--signature", "encoded")
    expected = model.predict(data.test_x, verbose=0)[:, 0]
    assert len(rows) == len(expected)
    equal(np.sort(rows.automobile), np.sort(expected))


def test_flowers_from_its_files(job, tmp_path):
    folder = flowers.write_data(tmp_path / "data")
    for number, file in enumerate(sorted(folder.glob("*/*.jpg"))):
        if number % 16:
            file.unlink()
    model = flowers.build()
    rows = job(flowers, model, folder, *FILES)
    names = sorted(path.name for path in folder.iterdir())
    likeliest = stacked(rows.probabilities).argmax(axis=1)
    assert rows.label.tolist() == [names[index] for index in likeliest]
    files = [tf.io.read_file(path.removeprefix("file:")) for path in rows.path]
    pictures = [flowers.decode(file, flowers.SIZE) for file in files]
    equal(stacked(rows.probabilities), model.predict(np.stack(pictures), verbose=0))


def test_mnist_from_its_archive(job, tmp_path):
    folder = mnist.write_data(tmp_path / "data")
    model = mnist.build_mlp()
    source = mnist.write_parquet(tmp_path / "mnist.parquet", folder=folder)
    rows = job(mnist, model, source, "--feed", "image=image")
    images = stacked(rows.image).reshape(-1, 28, 28, 1)
    equal(stacked(rows.probabilities), model.predict(images, verbose=0))


def test_imdb_from_its_lines(job, tmp_path):
    folder = imdb.write_data(tmp_path / "data")
    model = imdb.build()
    model.words.adapt(pd.read_csv(folder / "train.tsv", sep="\t", header=None, quoting=3)[1])
    lines = ("sep=\t", "header=false", "quote=")
    options = [flag for option in lines for flag in ("--option", option)]
    rows = job(
        imdb, model, folder / "test.tsv", "--input-format", "csv", *options, "--feed", "text=_c1"
    )
    texts = tf.constant(rows._c1.tolist())
    equal(rows.positive, model.predict(texts, verbose=0)["positive"][:, 0])


def test_reuters_from_its_archive(job, parquet, tmp_path):
    data = np.load(reuters.write_data(tmp_path / "data") / "reuters.npz", allow_pickle=True)
    tokens = [list(map(int, one)) for one in data["x"][:200]]
    model = reuters.build()
    rows = job(reuters, model, parquet(tokens=pa.array(tokens, pa.list_(pa.int32()))))
    assert [one.tolist() for one in rows.tokens] == tokens
    for found, one in zip(rows.probabilities, tokens, strict=True):
        equal(found, model(np.array([one], np.int32), training=False)[0])


def test_covid_from_windows_of_any_length(job, parquet, tmp_path):
    data = covid.dataset(folder=covid.write_data(tmp_path / "data"))
    model = covid.build()
    windows = [data.days[max(day - 8, 0) : day] for day in range(1, len(data.days))]
    kind = pa.list_(pa.list_(pa.float32()))
    rows = job(covid, model, parquet(window=pa.array([one.tolist() for one in windows], kind)))
    expected = [model(one[None], training=False)[0] for one in windows]
    equal(stacked(rows.next_day), np.stack(expected))


def test_ring_price_neighbours_and_module(job, parquet, tmp_path):
    def scored(module, model, **columns):
        shutil.rmtree(tmp_path / "scored", ignore_errors=True)
        return job(module, model, parquet(**columns))

    model = ring.build()
    points = ring.dataset().test_points
    rows = scored(ring, model, points=floats(points))
    equal(rows.inner, model.score(points)["inner"])

    line = price.build()
    price.train(line, price.dataset(), epochs=10)
    rows = scored(price, line, year=pa.array([2013, 2016, 2020]))
    equal(rows.price, line.predict(np.array([2013, 2016, 2020]))["price"])

    search, queries = neighbours.build(), neighbours.dataset().queries
    rows = scored(neighbours, search, query=floats(queries))
    expected = search.search(queries)
    np.testing.assert_array_equal(stacked(rows.ids), expected["ids"])
    equal(stacked(rows.distances), expected["distances"])

    pair = demo_module.dataset()
    rows = scored(demo_module, demo_module.build(), a=floats(pair.a), b=floats(pair.b))
    equal(rows.total, pair.a + pair.b)
