"""``python -m livekit_trio._cli``: the command line of this very interpreter."""

from . import main

main()
