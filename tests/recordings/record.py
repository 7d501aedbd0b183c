"""Record what the native library really says: room events and replies of small sessions, for `test_recordings.py`.

Run by hand when the pinned library changes, with a livekit-server binary:

    python tests/recordings/record.py /path/to/livekit-server [scenario …]

Each scenario writes one file for each participant that is watched, ``<scenario>.<identity>.txt``: a line for each event, its
time in seconds since the join and the FfiEvent in protobuf's text format, tokens left out. The library is that of the wheel
`livekit`, used without its Python code.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import json
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, cast

from google.protobuf import text_format

from livekit_trio import api
from livekit_trio._ffi import _proto as native

HERE = Path(__file__).parent
KEY, SECRET = "devkey", "secret-of-32-characters-or-more!"
CONFIG = """
port: {0}
bind_addresses: ["127.0.0.1"]
keys: {{{key}: {secret}}}
log_level: error
room: {{departure_timeout: 1, enable_remote_unmute: true}}
rtc:
  tcp_port: {1}
  udp_port: {2}
  node_ip: 127.0.0.1
  use_external_ip: false
  enable_loopback_candidate: true
  interfaces: {{includes: [lo]}}
  stun_servers: ["127.0.0.1:3478"]
"""


class Library:
    """The four entry points, synchronously; events go to the client that they belong to."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("livekit.rtc")
        assert package is not None
        assert package.origin is not None
        self._lib = ctypes.CDLL(str(Path(package.origin).parent / "resources" / "liblivekit_ffi.so"))
        self._lib.livekit_ffi_request.restype = ctypes.c_uint64
        self._callback = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)(self._on_event)
        self._lib.livekit_ffi_initialize(self._callback, True, b"record", b"0")
        self._lock = threading.Lock()
        self._sinks: dict[tuple[str, int], queue.Queue[Any]] = {}
        self._early: dict[tuple[str, int], list[Any]] = {}
        self._ids = itertools.count(1)

    def _on_event(self, data: Any, length: int) -> None:
        event = native.FfiEvent.FromString(ctypes.string_at(data, length))
        kind = event.WhichOneof("message")
        if kind in ("logs", None):
            return
        inner = getattr(event, kind)
        key = ("room", inner.room_handle) if kind == "room_event" else ("reply", getattr(inner, "async_id", 0))
        with self._lock:
            sink = self._sinks.get(key)
            if sink is None:
                self._early.setdefault(key, []).append((time.monotonic(), event))
            else:
                sink.put((time.monotonic(), event))

    def route(self, key: tuple[str, int], sink: queue.Queue[Any]) -> None:
        with self._lock:
            self._sinks[key] = sink
            for item in self._early.pop(key, ()):
                sink.put(item)

    def request(self, name: str, /, **fields: Any) -> Any:
        request = native.FfiRequest(**cast("Any", {name: fields}))
        data = request.SerializeToString()
        result, length = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_size_t()
        handle = self._lib.livekit_ffi_request(data, len(data), ctypes.byref(result), ctypes.byref(length))
        assert handle, f"{name} was refused"
        response = native.FfiResponse.FromString(ctypes.string_at(result, length.value))
        self._lib.livekit_ffi_drop_handle(ctypes.c_uint64(handle))
        return getattr(response, name)

    def next_id(self) -> int:
        return next(self._ids)


class Client:
    """One participant; everything it hears is kept in order."""

    def __init__(self, library: Library, url: str, room: str, identity: str, **options: Any) -> None:
        self.library = library
        self.identity = identity
        self.heard: list[tuple[float, Any]] = []
        self._inbox: queue.Queue[Any] = queue.Queue()
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        token = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()
        native_options = {"auto_subscribe": True, "join_retries": 0} | options
        reply = self.call("connect", url=url, token=token, options=native_options)
        assert reply.WhichOneof("message") == "result", reply.error
        self.room = reply.result.room.handle.id
        self.me = reply.result.local_participant.handle.id
        self.library.route(("room", self.room), self._inbox)
        self.library.request("ready_for_room_event", room_handle=self.room)
        self.wait("token_refreshed")

    def call(self, name: str, /, **fields: Any) -> Any:
        async_id = self.library.next_id()
        self.library.route(("reply", async_id), self._inbox)
        self.library.request(name, request_async_id=async_id, **fields)
        while True:
            event = self._next()
            kind = event.WhichOneof("message")
            if kind != "room_event" and getattr(event, kind).async_id == async_id:
                return getattr(event, kind)

    def wait(self, kind: str, count: int = 1, timeout: float = 20.0) -> None:
        """Listen until *count* more room events of that kind have come."""
        while count:
            event = self._next(timeout)
            count -= event.WhichOneof("message") == "room_event" and event.room_event.WhichOneof("message") == kind

    def settle(self, quiet: float = 1.0) -> None:
        """Listen until nothing has come for that long."""
        try:
            while True:
                self._next(quiet)
        except queue.Empty:
            pass

    def _next(self, timeout: float = 20.0) -> Any:
        when, event = self._inbox.get(timeout=timeout)
        self.heard.append((when, event))
        return event

    def publish(self, name: str, source: int = native.SOURCE_MICROPHONE) -> tuple[int, str]:
        options = {"type": native.AUDIO_SOURCE_NATIVE, "sample_rate": 48000, "num_channels": 1, "queue_size_ms": 100}
        audio = self.library.request("new_audio_source", **options).source.handle.id
        track = self.library.request("create_audio_track", name=name, source_handle=audio).track.handle.id
        fields = {"local_participant_handle": self.me, "track_handle": track, "options": {"source": source}}
        reply = self.call("publish_track", **fields)
        return track, reply.publication.info.sid

    def leave(self) -> None:
        self.call("disconnect", room_handle=self.room)
        self.settle(0.5)

    def save(self, scenario: str) -> None:
        start = self.heard[0][0]
        lines: list[str] = []
        for when, event in self.heard:
            if event.room_event.HasField("token_refreshed"):
                event.room_event.token_refreshed.token = "TOKEN"
            lines.append(f"{when - start:.3f} {text_format.MessageToString(event, as_one_line=True)}")
        (HERE / f"{scenario}.{self.identity}.txt").write_text("\n".join(lines) + "\n")
        print(f"{scenario}.{self.identity}: {len(lines)} events")  # noqa: T201


class Stage:
    """A server, and what its API can do to participants."""

    def __init__(self, library: Library, port: int) -> None:
        self.library, self.port = library, port
        self.room = f"room-{time.monotonic_ns()}"

    def join(self, identity: str, **options: Any) -> Client:
        return Client(self.library, f"ws://127.0.0.1:{self.port}", self.room, identity, **options)

    def admin(self, method: str, **fields: Any) -> None:
        grants = api.VideoGrants(room_admin=True, room=self.room, room_create=True)
        token = api.AccessToken(KEY, SECRET).with_grants(grants).to_jwt()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/twirp/livekit.RoomService/{method}",
            json.dumps({"room": self.room} | fields).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).read()


# ---- the scenarios


def early_joiner(stage: Stage) -> list[Client]:
    """bob is there when alice comes, publishes, changes things, and leaves."""
    bob = stage.join("bob")
    alice = stage.join("alice")
    bob.wait("participant_active")
    track, sid = alice.publish("mic")
    bob.wait("track_subscribed")
    alice.wait("local_track_subscribed")
    for mute in (True, False):
        alice.library.request("local_track_mute", track_handle=track, mute=mute)
        bob.wait("track_muted" if mute else "track_unmuted")
    alice.call("set_local_metadata", local_participant_handle=alice.me, metadata="m1")
    alice.call("set_local_name", local_participant_handle=alice.me, name="Alice")
    entries = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    alice.call("set_local_attributes", local_participant_handle=alice.me, attributes=entries)
    entries = [{"key": "b", "value": "3"}, {"key": "a", "value": ""}]
    alice.call("set_local_attributes", local_participant_handle=alice.me, attributes=entries)
    bob.wait("participant_attributes_changed", 2)
    stage.admin("UpdateRoomMetadata", metadata="of the room")
    bob.wait("room_updated")
    alice.call("unpublish_track", local_participant_handle=alice.me, track_sid=sid, stop_on_unpublish=False)
    bob.wait("track_unpublished")
    alice.settle()
    alice.leave()
    bob.wait("participant_disconnected")
    bob.settle(3)
    bob.leave()
    return [alice, bob]


def late_joiner(stage: Stage) -> list[Client]:
    """alice has published when bob comes; she leaves while her track is still published."""
    alice = stage.join("alice")
    alice.publish("mic")
    alice.call("publish_data_track", local_participant_handle=alice.me, options={"name": "numbers"})
    bob = stage.join("bob")
    bob.wait("track_subscribed")
    bob.settle()
    alice.leave()
    bob.wait("participant_disconnected")
    bob.settle()
    bob.leave()
    return [bob]


def _reconnect(stage: Stage, scenario: int, who: str) -> list[Client]:
    alice = stage.join("alice")
    alice.publish("mic")
    bob = stage.join("bob")
    bob.wait("track_subscribed")
    bob.publish("bobs mic")
    alice.wait("track_subscribed")
    bob.settle()
    alice.settle()
    actor = {"alice": alice, "bob": bob}[who]
    actor.call("simulate_scenario", room_handle=actor.room, scenario=scenario)
    actor.wait("reconnected")
    alice.settle(4)
    bob.settle(4)
    stage.admin("DeleteRoom")
    bob.wait("eos")
    return [bob]


def full_reconnect(stage: Stage) -> list[Client]:
    """bob reconnects from scratch."""
    return _reconnect(stage, native.SIMULATE_FULL_RECONNECT, "bob")


def peer_full_reconnect(stage: Stage) -> list[Client]:
    """alice reconnects from scratch, seen by bob."""
    return _reconnect(stage, native.SIMULATE_FULL_RECONNECT, "alice")


def resume(stage: Stage) -> list[Client]:
    """bob's signal connection is cut and resumed."""
    return _reconnect(stage, native.SIMULATE_SIGNAL_RECONNECT, "bob")


def kicked(stage: Stage) -> list[Client]:
    """The server mutes a track of bob's, changes his permissions, renames him, and removes him."""
    alice = stage.join("alice")
    bob = stage.join("bob")
    _, sid = bob.publish("mic")
    alice.wait("track_subscribed")
    stage.admin("MutePublishedTrack", identity="bob", track_sid=sid, muted=True)
    alice.wait("track_muted")
    stage.admin("UpdateParticipant", identity="bob", name="Bob", metadata="m", attributes={"k": "v"})
    alice.wait("participant_attributes_changed")
    permission = {"canSubscribe": True, "canPublish": False, "canPublishData": True}
    stage.admin("UpdateParticipant", identity="bob", permission=permission)
    alice.wait("track_unpublished")
    bob.settle()
    stage.admin("RemoveParticipant", identity="bob")
    bob.wait("eos")
    alice.wait("participant_disconnected")
    alice.leave()
    return [alice, bob]


def duplicate_identity(stage: Stage) -> list[Client]:
    """Another alice joins; the first one, and bob, see that."""
    bob = stage.join("bob")
    alice = stage.join("alice")
    alice.publish("mic")
    bob.wait("track_subscribed")
    second = stage.join("alice")
    alice.wait("eos")
    bob.wait("participant_active")
    bob.settle()
    second.leave()
    bob.leave()
    return [alice, bob]


SCENARIOS = (early_joiner, late_joiner, full_reconnect, peer_full_reconnect, resume, kicked, duplicate_identity)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def main() -> None:
    server, *wanted = sys.argv[1:]
    ports = free_ports(3)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(CONFIG.format(*ports, key=KEY, secret=SECRET))
        config.flush()
        process = subprocess.Popen([server, "--config", config.name])
        try:
            while process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", ports[0])) == 0:
                        break
                time.sleep(0.05)
            library = Library()
            for scenario in SCENARIOS:
                if not wanted or scenario.__name__ in wanted:
                    for client in scenario(Stage(library, ports[0])):
                        client.save(scenario.__name__)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
