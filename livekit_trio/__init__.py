"""A Trio-native, AnyIO-compatible structured-concurrency SDK for LiveKit.

* `livekit_trio.rtc`: join rooms, see what happens there, send and receive media and data.
* `livekit_trio.api`: access tokens, the server's services, webhooks.
* `livekit_trio.testing`: a real local server and leak checks, for tests.

Importing this package imports none of them; nothing native is loaded before the first room is opened.
"""

__version__ = "0.1.0"
