"""How an inbox in Python tells its loop that there is something to take. All but `fileno` is called in steps of the router."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class DescriptorWaker:
    """Makes a descriptor readable: an eventfd if both ends are one, else a pair of sockets. Owns both."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._set = False
        self._sockets: tuple[socket.socket, ...] = ()
        if read_fd != write_fd:
            self._sockets = (socket.socket(fileno=read_fd), socket.socket(fileno=write_fd))
            for end in self._sockets:
                end.setblocking(False)

    def fileno(self) -> int:
        return self._read_fd

    def set(self, _afterwards: object) -> None:
        if self._set:
            return
        self._set = True
        if self._sockets:
            self._sockets[1].send(b"\0")
        else:
            os.eventfd_write(self._write_fd, 1)

    def clear(self) -> None:
        if not self._set:
            return
        self._set = False
        if self._sockets:
            self._sockets[0].recv(1)
        else:
            os.eventfd_read(self._read_fd)

    def close(self) -> None:
        self._read_fd = -1
        if self._sockets:
            for end in self._sockets:
                end.close()
        else:
            os.close(self._write_fd)


@final
class CallWaker:
    """Calls a function instead, once each time the inbox stops being empty."""

    def __init__(self, poke: Callable[[], None]) -> None:
        self._poke = poke
        self._set = False

    def fileno(self) -> int:
        return -1

    def set(self, afterwards: Callable[[Callable[[], None]], None]) -> None:
        if not self._set:
            self._set = True
            afterwards(self._poke)

    def clear(self) -> None:
        self._set = False

    def close(self) -> None:
        self._set = True
