"""The reducer is total: native events in any order, doubled, lost, late or about nobody, with the invariants written down.

The events come from two sources: made up from a small world, so that they hit each other, and the recordings, shuffled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio._ffi import _proto as native
from livekit_trio._guard import make
from livekit_trio.rtc._room_state import HANDLERS, RoomState
from livekit_trio.rtc._track import LocalAudioTrack, TrackFacts, facts_of

from .link import Link
from .listener import Listener
from .made_up import SIDS, Spec, make_up, remint, specs
from .native import Native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit_trio.rtc._model import Handler, Model

EVENTS_A_RUN = 20_000
END = ("disconnected", "eos")  # the machine has a rule of its own for the end: most of a life is before it


def recorded() -> list[list[native.RoomEvent]]:
    sessions: list[list[native.RoomEvent]] = []
    for path in sorted((Path(__file__).parent.parent / "recordings").glob("*.txt")):
        events = [text_format.Parse(line.split(" ", 1)[1], native.FfiEvent()) for line in path.read_text().splitlines()]
        rooms = [event.room_event for event in events if event.HasField("room_event")]
        sessions.append([event for event in rooms if event.WhichOneof("message") not in END])
    return sessions


SESSIONS = recorded()


class RoomMachine(RuleBasedStateMachine):
    """A room, and a listener. `applied` counts the events of a whole run."""

    handlers: Mapping[str, Handler] = HANDLERS
    applied = 0

    def __init__(self) -> None:
        super().__init__()
        self.link = Link()
        self.native = Native(self.link)
        eve = (self.native.participant("eve"), [self.native.publication("TR_3")])
        self.state = RoomState(self.native.result(eve), self.link, handlers=self.handlers)
        self.model: Model = self.state._model
        self.now = 0.0
        self.listener = Listener()
        self.listener.listen(list(self.state.snapshot_events()))
        self.given: list[tuple[Any, dict[Any, Any]]] = []

    @rule(batch=st.lists(specs, min_size=10, max_size=40))
    def anything(self, batch: list[Spec]) -> None:
        for spec in batch:
            if spec.kind not in END:
                self.apply(make_up(self.native, spec, self.state))

    @rule(session=st.sampled_from(SESSIONS), start=st.integers(0, 30), data=st.data())
    def shuffled_recording(self, session: list[native.RoomEvent], start: int, data: st.DataObject) -> None:
        """Part of a recording, with some of it lost, doubled, or in another order."""
        part = session[min(start, len(session) - 5) :][:15]
        indices = data.draw(st.lists(st.integers(0, len(part) - 1), min_size=5, max_size=25))
        for index in sorted(indices) if start % 2 else indices:
            event = native.RoomEvent()
            event.CopyFrom(part[index])
            remint(self.native, event)
            self.apply(event)

    @rule(sid=st.sampled_from(SIDS))
    def publish(self, sid: str) -> None:
        if sid not in self.state.local_participant.track_publications:
            facts = TrackFacts(handle=0, sid="", name="mic", kind=rtc.TrackKind.KIND_AUDIO)
            _, said = self.state.add_local_publication(self.native.publication(sid), make(LocalAudioTrack, facts))
            self.listener.listen(said)

    @rule(seconds=st.floats(0.01, 0.5))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.listener.listen(self.state.tick(self.now))
        assert self.state.deadline is None or self.state.deadline > self.now

    @rule(kind=st.sampled_from(END), chance=st.integers(0, 9))
    def end(self, kind: str, chance: int) -> None:
        if chance == 9:
            fields = {"reason": 3} if kind == "disconnected" else {}
            self.apply(self.native.event(kind, **fields))

    @override
    def teardown(self) -> None:
        self.listener.listen(self.state.close(rtc.DisconnectReason.CLIENT_INITIATED))
        assert self.listener.over
        assert self.link.live == set(), "handles are left"
        assert self.state.close(rtc.DisconnectReason.CLIENT_INITIATED) == []
        self.everything_can_be_read()

    def apply(self, event: native.RoomEvent) -> None:
        type(self).applied += 1
        before, counted = self.dump(), self.state.counters.total()
        said = self.state.apply(event, self.now)
        self.listener.listen(said)
        # every event changes the state, says something, or is counted
        assert said or self.state.counters.total() > counted or self.dump() != before, event
        self.listener.compare(self.state)
        self.every_live_handle_has_one_owner()
        self.only_the_present_speak_or_are_held_back()

    # ---- what holds after each event

    def every_live_handle_has_one_owner(self) -> None:
        """So what was thrown away was dropped, and nothing that is in use."""
        model = self.model
        owned = [model.local.handle]
        owned += [publication.handle for publication in model.local.publications.values()]
        owned += [data_track.handle for data_track in model.data_tracks.values()]
        for remote in model.remotes.values():
            publications = remote.publications.values()
            tracks = [publication.track for publication in publications if publication.track is not None]
            owned += [remote.handle, *(publication.handle for publication in publications)]
            owned += [facts_of(track).handle for track in tracks]
            assert not any(track.ended for track in tracks)
        assert sorted(owned) == sorted(self.link.live)

    def only_the_present_speak_or_are_held_back(self) -> None:
        present = {self.state.local_participant, *self.state.remote_participants.values()}
        assert {who for who in present if who.is_speaking} == set(self.state.active_speakers)
        assert all(identity in self.model.remotes for identity in self.model.held._deadlines)

    # ---- what holds after each rule

    @invariant()
    def the_views_agree(self) -> None:
        for identity, who in self.state.remote_participants.items():
            facts = self.model.remotes[identity]
            assert (facts.view, who.identity) == (who, identity)
            assert list(who.track_publications) == list(facts.publications)
            assert all(publication.sid == sid for sid, publication in who.track_publications.items())
            theirs = {sid for sid, track in self.model.data_tracks.items() if track.publisher_identity == identity}
            assert set(who.data_tracks) == theirs
        mine = self.state.local_participant.track_publications
        assert list(mine) == list(self.model.local.publications)
        assert all(publication.sid == publication.track.sid == sid for sid, publication in mine.items())

    @invariant()
    def what_was_given_out_does_not_change(self) -> None:
        assert all(dict(mapping) == copy for mapping, copy in self.given)
        mappings: list[Any] = [self.state.remote_participants, self.state.local_participant.attributes]
        for who in self.state.remote_participants.values():
            mappings += [who.attributes, who.track_publications, who.data_tracks]
        self.given = [(mapping, dict(mapping)) for mapping in mappings]

    @invariant()
    def everything_can_be_read(self) -> None:
        for who in (self.state.local_participant, *self.state.remote_participants.values()):
            assert who.identity in repr(who)
            assert who.joined_at is not None
            assert repr(list(who.track_publications.values()))

    def dump(self) -> object:
        """All that is known, comparable."""
        model = self.model
        remotes = [
            (known(remote), remote.active_announced, list(remote.data_tracks.values()))
            for remote in model.remotes.values()
        ]
        held = dict(model.held._deadlines)
        connection = (model.state, model.local.reconnecting, model.reason, model.eos, held)
        return (model.info, connection, model.speakers, known(model.local), remotes, list(model.data_tracks))


def known(facts: Any) -> tuple[Any, ...]:
    details = ("info", "handle", "track", "failures", "announced", "subscribed", "enabled")
    publications = [[getattr(p, name, None) for name in details] for p in facts.publications.values()]
    return (facts.info, facts.handle, facts.quality, facts.speaking, facts.encrypted, publications)


def run(machine: type[RoomMachine], **options: Any) -> None:
    defaults: dict[str, Any] = {
        "stateful_step_count": 15,
        "deadline": None,
        "derandomize": True,
        "database": None,
        "suppress_health_check": list(HealthCheck),
        "phases": [Phase.generate],  # shrinking takes minutes: add Phase.shrink to look into a failure
    }
    run_state_machine_as_test(machine, settings=settings(**defaults | options))


def test_the_reducer_is_total() -> None:
    class Machine(RoomMachine):
        applied = 0

    run(Machine, max_examples=300)
    assert Machine.applied >= EVENTS_A_RUN, f"only {Machine.applied} events"


@pytest.mark.parametrize("kind", sorted(HANDLERS))
def test_a_branch_that_does_nothing_is_found_out(kind: str) -> None:
    """The invariants bite: with a handler that changes nothing, says nothing and counts nothing they do not hold."""

    class Machine(RoomMachine):
        handlers = {**HANDLERS, kind: lambda _model, _message: ()}  # noqa: RUF012

    with pytest.raises(AssertionError):
        run(Machine, max_examples=50)
