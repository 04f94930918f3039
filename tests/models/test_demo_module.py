import numpy as np
import pytest

from models import demo_module


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return demo_module.export(demo_module.build(), tmp_path_factory.mktemp("base"))


def test_signatures_have_the_documented_names(path, described):
    a, b = "a: float32 (None,)", "b: float32 (None,)"
    assert path.parts[-2:] == ("demo_module", "1")
    assert described(path) == ([a, b], ["total: float32 (None,)"])
    assert described(path, "count") == ([a], ["number: int64 (None,)"])


def test_pure_signature_adds(path, serve):
    answer = serve(path, a=[1.5, -2.0], b=[0.25, 2.0])
    assert answer["total"].tolist() == [1.75, 0.0]
    assert serve(path, a=[], b=[])["total"].shape == (0,)


def test_count_numbers_rows_from_one_in_every_process(path, serve):
    for _ in range(2):
        assert serve(path, "count", a=[5.0, 5.0, 5.0])["number"].tolist() == [1, 2, 3]


def test_state_goes_on_from_batch_to_batch():
    module = demo_module.DemoModule(seen=7)
    assert module.count(np.float32([1, 1]))["number"].numpy().tolist() == [8, 9]
    assert module.count(np.float32([]))["number"].numpy().tolist() == []
    assert module.count(np.float32([1]))["number"].numpy().tolist() == [10]


def test_export_starts_where_the_live_module_stood_and_leaves_it_there(tmp_path, serve):
    module = demo_module.DemoModule(seen=41)
    path = demo_module.export(module, tmp_path)
    assert serve(path, "count", a=[0.0])["number"].tolist() == [42]
    assert module.seen.numpy() == 41


def test_evaluation_checks_both_methods_and_puts_the_state_back():
    module, data = demo_module.DemoModule(seen=3), demo_module.dataset()
    assert demo_module.train(module, data, seed=0, epochs=2) == {}
    assert demo_module.evaluate(module, data) == {"add": 1.0, "count": 1.0}
    assert module.seen.numpy() == 3
