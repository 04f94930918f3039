import pytest

from benchmarks.torrent import Cluster, archive, broadcast

SIZE = 600 << 20


def test_one_executor_gets_one_copy_at_the_rate_of_the_link():
    sent = broadcast(Cluster(1, link=1e9, work=0.0), SIZE)
    assert sent.copies == 1
    assert sent.seconds == pytest.approx(SIZE / 1e9)


@pytest.mark.parametrize(("executors", "expected"), [(2, 1.5), (4, 25 / 12), (10, 2.93)])
def test_the_driver_is_one_of_the_senders_of_each_piece(executors, expected):
    """An executor takes a random copy, so n executors take 1 + 1/2 + … + 1/n from the driver."""
    assert broadcast(Cluster(executors), SIZE).copies == pytest.approx(expected, abs=0.3)


def test_executors_of_one_host_get_one_copy_from_the_driver():
    assert broadcast(Cluster(4, per_host=4), SIZE).copies == pytest.approx(1, abs=0.1)


def test_an_archive_is_sent_to_each_executor():
    assert archive(Cluster(4, link=1e9), SIZE).copies == 4
