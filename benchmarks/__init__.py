"""Benchmarks: livekit_trio beside the official SDK and beside the native library alone. See docs/benchmarks.md."""
