"""The native library and its runtime: knows handles, requests and events, but no room, track or frame.

Importing it loads nothing native and no protobuf; `docs/architecture.md` describes the parts.
"""
