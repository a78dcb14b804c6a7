"""The count of lost requests tells a connection that broke from one whose end was announced."""

from __future__ import annotations

import socket
import threading

import pytest

from bench import certificate_switch

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\nok"


def received(connection: socket.socket) -> bool:
    """Read one request; return whether there was one."""
    data = b""
    while not data.endswith(b"}"):
        part = connection.recv(65536)
        if not part:
            return False
        data += part
    return True


def serve(server: socket.socket, header: bytes, third: threading.Event) -> None:
    """Answer two requests on each connection, then end it; tell when the third one has come."""
    accepted = 0
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        accepted += 1
        if accepted == 3:
            third.set()
        with connection:
            for number in range(2):
                if not received(connection):
                    break
                connection.sendall(ANSWER % (header if number else b""))
            else:
                if not header:
                    received(connection)  # a request, and no answer


@pytest.mark.parametrize(("header", "is_lost"), [(b"Connection: close\r\n", False), (b"", True)])
def test_a_request_without_an_answer_is_lost_unless_the_end_was_announced(
    header: bytes, is_lost: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        third = threading.Event()
        thread = threading.Thread(target=serve, args=(server, header, third), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        acted: list[bool] = []
        found = certificate_switch.measure(
            url, None, lambda: acted.append(third.wait(60)), 2, 0.01, 1
        )
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert acted == [True, True]
    assert (found.lost > 0) == is_lost
    assert found.connections > 1
    assert set(found.statuses) == {200}
