"""``python -m benchmarks.soak``: ten rooms for half an hour, in a network that is cut, delayed and lossy, at a server that is killed."""
