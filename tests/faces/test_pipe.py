"""Messages through a real pair of sockets: whole, in order, whatever their size, and what is raised where they end."""

import socket
import struct
import threading
from collections.abc import Iterator
from pickle import PicklingError

import pytest

from app.faces.pipe import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, Pipe]]:
    ours, theirs = socket.socketpair()
    pipes = Pipe(ours), Pipe(theirs)
    yield pipes
    for pipe in pipes:
        pipe.close()


@pytest.mark.parametrize(
    "photographs",
    [[], [b""], [b"one", b"", b"three"], [bytes([i]) * 200_000 for i in range(8)], [b"x" * 10_000_000]],
    ids=["none", "empty", "small", "several", "large"],
)
def test_a_message_arrives_with_its_photographs_and_so_does_the_next(
    ends: tuple[Pipe, Pipe], photographs: list[bytes]
) -> None:
    ours, theirs = ends

    def send() -> None:
        ours.send({"task": len(photographs)}, photographs)
        ours.send("next")

    sending = threading.Thread(target=send)
    sending.start()
    assert theirs.receive() == ({"task": len(photographs)}, photographs)
    assert theirs.receive() == ("next", [])
    sending.join()


def test_a_message_that_cannot_be_pickled_is_not_sent(ends: tuple[Pipe, Pipe]) -> None:
    ours, theirs = ends
    with pytest.raises((PicklingError, AttributeError)):
        ours.send(lambda: None)
    ours.send("after it")
    assert theirs.receive() == ("after it", [])


def test_the_end_of_the_other_side_is_an_error_and_so_is_half_a_message() -> None:
    for sent in (b"", struct.pack("=Q", 1) + struct.pack("=Q", 1000) + b"half"):
        ours, theirs = socket.socketpair()
        pipe = Pipe(ours)
        theirs.sendall(sent)
        theirs.close()
        with pytest.raises(EOFError):
            pipe.receive()
        with pytest.raises(ConnectionError):
            pipe.send("anyone?")
        pipe.close()


def test_what_takes_too_long_is_told_from_what_has_ended() -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 50_000))
    pipe = Pipe(ours)
    with theirs, pytest.raises(BlockingIOError):
        pipe.receive()
    pipe.close()
