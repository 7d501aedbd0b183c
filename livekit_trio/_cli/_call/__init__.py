"""The call that ``livekit-trio demo`` holds, what it proves, and how that is shown."""
