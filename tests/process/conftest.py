"""Without a C compiler there is no C fake of the native library, and so no flood from native threads.

Nor is there a bridge; and a fork with a room open is not safe through ctypes, see `_ffi/_ctypes_library.py`.
"""

from __future__ import annotations

from tests.native.tools import has_compiler

collect_ignore = [] if has_compiler() else ["test_fork.py", "test_stall.py"]
