"""Delay and lose packets, where the kernel has no netem: hold those that iptables puts into an NFQUEUE. Needs root, nothing else.

Arguments: the queue's number, delay and jitter in milliseconds, the share that is lost (0 to 1), a seed. It runs until it is
told to end (SIGTERM), lets go what it holds, and prints what it did.
"""

from __future__ import annotations

import heapq
import random
import select
import signal
import socket
import struct
import sys
import time

NETLINK_NETFILTER = 12
NFNL_SUBSYS_QUEUE = 3
PACKET, VERDICT, CONFIG = 0, 1, 2
DROP, ACCEPT = 0, 1


class Queue:
    """One NFQUEUE, see linux/netfilter/nfnetlink_queue.h."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._send(CONFIG, _attribute(1, struct.pack("!BBH", 1, 0, 0)), acknowledged=True)  # bind
        self._send(CONFIG, _attribute(2, struct.pack("!IB", 0, 1)), acknowledged=True)  # of a packet only its number
        self._send(CONFIG, _attribute(3, struct.pack("!I", 8192)), acknowledged=True)  # how many may wait

    def decide(self, packet: int, verdict: int) -> None:
        self._send(VERDICT, _attribute(2, struct.pack("!II", verdict, packet)))

    def receive(self) -> list[int]:
        """The numbers of the packets that have come."""
        data = self.socket.recv(1 << 17)
        packets: list[int] = []
        while data:
            length, kind = struct.unpack_from("=IH", data)
            if kind == 2 and (error := struct.unpack_from("=i", data, 16)[0]):
                raise OSError(-error, "the kernel refused")
            if kind == NFNL_SUBSYS_QUEUE << 8 | PACKET:
                packets.append(_packet_number(data[20:length]))
            data = data[(length + 3) & ~3 :]
        return packets

    def _send(self, kind: int, attribute: bytes, *, acknowledged: bool = False) -> None:
        body = struct.pack("=BBH", 0, 0, socket.htons(self.number)) + attribute
        flags = 5 if acknowledged else 1
        head = struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_QUEUE << 8 | kind, flags, 0, 0)
        self.socket.send(head + body)


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _packet_number(attributes: bytes) -> int:
    while attributes:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind & 0x7FFF == 1:
            return struct.unpack_from("!I", attributes, 4)[0]
        attributes = attributes[(length + 3) & ~3 :]
    raise ValueError("a packet without a number")


def main() -> None:
    number, delay, jitter, loss, seed = int(sys.argv[1]), *map(float, sys.argv[2:5]), int(sys.argv[5])
    chance = random.Random(seed)
    queue = Queue(number)
    held: list[tuple[float, int]] = []
    counts = {DROP: 0, ACCEPT: 0}
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for who started this
    print("ready", flush=True)
    while not ended:
        now = time.monotonic()
        while held and held[0][0] <= now:
            queue.decide(heapq.heappop(held)[1], ACCEPT)
        wait = min(0.5, held[0][0] - now) if held else 0.5
        if not select.select([queue.socket], [], [], wait)[0]:
            continue
        for packet in queue.receive():
            verdict = DROP if chance.random() < loss else ACCEPT
            counts[verdict] += 1
            if verdict == DROP:
                queue.decide(packet, DROP)
            else:
                late = max(0, delay + chance.uniform(-jitter, jitter)) / 1000
                heapq.heappush(held, (time.monotonic() + late, packet))
    for _, packet in held:
        queue.decide(packet, ACCEPT)
    print(f"{sum(counts.values())} packets, {counts[DROP]} of them lost", flush=True)


if __name__ == "__main__":
    main()
