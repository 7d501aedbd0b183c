"""Without a C compiler there is no C fake of the native library, and so no flood from native threads."""

from __future__ import annotations

from tests.native.tools import has_compiler

collect_ignore = [] if has_compiler() else ["test_stall.py"]
