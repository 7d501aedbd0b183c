"""What the SDK costs, beside the official one, in one run: `uv run python -m benchmarks`. See docs/benchmarks.md."""
