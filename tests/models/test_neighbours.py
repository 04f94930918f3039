import numpy as np
import pytest

from models import neighbours
from models.refusal import DataError


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return neighbours.export(neighbours.build(), tmp_path_factory.mktemp("base"))


def test_signature_has_the_documented_names(path, described):
    assert path.parts[-2:] == ("neighbours", "1")
    assert described(path) == (
        ["query: float32 (None, 8)"],
        ["distances: float32 (None, 5)", "ids: int64 (None, 5)"],
    )


def test_nearest_by_hand_with_ties_in_the_order_of_ids(tmp_path, serve):
    corners = [[0, 0], [3, 4], [-3, -4], [0, 1], [6, 8]]
    path = neighbours.export(neighbours.Neighbours(corners, k=4), tmp_path)

    answer = serve(path, query=[[0, 0], [6, 8]])

    assert answer["ids"].tolist() == [[0, 3, 1, 2], [4, 1, 3, 0]]
    expected = [[0, 1, 5, 5], [0, 5, np.sqrt(85), 10]]
    np.testing.assert_allclose(answer["distances"], expected, rtol=1e-7)


@pytest.mark.parametrize("seed", [0, 1])
def test_exact_against_numpy(seed):
    model, data = neighbours.build(seed), neighbours.dataset(seed)
    assert neighbours.train(model, data, seed=seed, epochs=1) == {}
    metrics = neighbours.evaluate(model, data)
    assert metrics["exact"] == 1.0
    assert metrics["gap"] < 1e-6


def test_near_ties_are_told_apart_far_from_the_origin():
    known = np.float32([[4096, 0], [4096, 2**-10], [4096, 2**-11]])
    found = neighbours.Neighbours(known, k=3).search(np.float32([[4097, 0]]))
    assert found["ids"].numpy().tolist() == [[0, 2, 1]]


def test_export_answers_every_row_as_the_live_module(path, serve):
    model, queries = neighbours.build(), neighbours.dataset().queries
    answer = serve(path, query=queries)
    for name, value in model.search(queries).items():
        np.testing.assert_array_equal(answer[name], value)


@pytest.mark.parametrize(
    ("vectors", "k"), [([1.0, 2.0], 1), ([[1.0, 2.0]], 2), ([[1.0, 2.0]], 0), (np.ones((0, 2)), 1)]
)
def test_what_has_no_neighbours_is_said_in_words(vectors, k):
    with pytest.raises(DataError, match="k from 1 to n"):
        neighbours.Neighbours(vectors, k)
