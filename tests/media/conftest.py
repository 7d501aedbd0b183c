"""What tests of media share."""

from tests.rtc.conftest import nothing_left as nothing_left, peer as peer, room_name as room_name
