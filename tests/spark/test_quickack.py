import io
import socket
import threading

import pytest

from tfspark.spark.worker.quickack import acknowledged_at_once

SENT = bytes(range(256)) * 2000


def connected(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        return sender, server.accept()[0]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("first", [0, 3, 70_000])
def test_a_stream_gives_what_was_sent_and_what_it_had_read_before(family, first):
    sender, receiver = connected(family)
    with sender, receiver, receiver.makefile("rb") as plain:
        sending = threading.Thread(target=lambda: (sender.sendall(SENT), sender.close()))
        sending.start()
        begin = plain.read(first)
        stream = acknowledged_at_once(plain, receiver)
        pieces = [begin, stream.read(1), stream.read(5), stream.read(100_000)]
        pieces.append(stream.read())
        sending.join()
    assert b"".join(pieces) == SENT


def test_a_socket_of_this_machine_is_left_alone():
    stream = io.BytesIO()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert acknowledged_at_once(stream, ours) is stream
