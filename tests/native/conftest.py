"""Without a C compiler the bridge's own tests, which are in C, cannot be built."""

from __future__ import annotations

from tests.native.tools import has_compiler

collect_ignore = [] if has_compiler() else ["test_bridge_c.py"]
