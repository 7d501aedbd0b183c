"""The build's two native parts: the pinned library, and the C bridge.

Everything else is in pyproject.toml. The library must be there and right, or the build fails. The bridge may be missing where there is no C compiler:
the ctypes fallback then takes its place and says so, at build time here and at run time. ``LIVEKIT_TRIO_RELEASE=1`` makes it a must.
"""

# A build has no typing_extensions, and typing has no override before Python 3.12.
# pyright: reportImplicitOverride=false
from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, SetupError

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "native"))

import library  # noqa: E402 - found through the line above

RELEASE = os.environ.get("LIVEKIT_TRIO_RELEASE") == "1"
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")  # free-threaded builds have none


class BuildLibrary(Command):
    """Put the pinned native library into `livekit_trio/_ffi/_native`: of the source tree if editable, else of the wheel."""

    description = "copy the pinned native library out of the official wheel"
    user_options = []  # noqa: RUF012

    editable_mode = False
    build_lib: str | None = None
    outputs: list[str] = []  # noqa: RUF012

    def initialize_options(self) -> None:
        self.outputs = []

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        top = ROOT if self.editable_mode else Path(self.build_lib or "")
        try:
            files = library.install(library.read_pin(), top / "livekit_trio" / "_ffi" / "_native")
        except library.LibraryError as error:
            raise SetupError(str(error)) from error
        self.outputs = [] if self.editable_mode else [str(file) for file in files]

    def get_outputs(self) -> list[str]:
        return self.outputs

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []


class Build(build):
    """The usual build, plus the library, and without what an earlier build left behind."""

    sub_commands = [*build.sub_commands, ("build_library", None)]  # noqa: RUF012 - what setuptools demands

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildBridge(build_ext):
    """The usual build of an extension, with whatever C compiler there is, and a word about what its absence means."""

    def build_extensions(self) -> None:
        super().build_extensions()
        for extension in self.extensions:
            if not Path(self.get_ext_fullpath(extension.name)).exists():
                self.warn(f"{extension.name} is missing: the ctypes fallback, which is slower, takes its place")

    def build_extension(self, ext: Extension) -> None:
        # A bridge of an earlier build must not outlive a failed one.
        Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
        if sys.platform != "win32" and "CC" not in os.environ and not shutil.which(self.compiler.compiler_so[0]):
            other = _other_compiler(self.compiler.compiler_so[0])
            for name in ("compiler", "compiler_so", "linker_so"):
                self.compiler.set_executable(name, [*other, *getattr(self.compiler, name)[1:]])
        super().build_extension(ext)  # pyright: ignore[reportUnknownMemberType]


def _other_compiler(missing: str) -> list[str]:
    """A C compiler instead of the one that Python was built with."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    for command in (["cc"], ["gcc"], ["clang"], ["zig", "cc"], ["python-zig", "cc"]):
        if shutil.which(command[0]):
            return command
    raise CompileError(f"there is no C compiler: neither {missing} nor cc, gcc, clang, zig or the package ziglang")


def _bridge() -> list[Extension]:
    sources = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "native" / "bridge").glob("*.c"))
    if not sources:
        return []
    return [
        Extension(
            "livekit_trio._ffi._bridge",
            sources,
            depends=sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "native" / "bridge").glob("*.h")),
            py_limited_api=LIMITED_API,
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
            extra_compile_args=["/std:c11"] if sys.platform == "win32" else ["-std=c11", "-O2", "-fvisibility=hidden"],
            optional=not RELEASE,
        )
    ]


setup(
    ext_modules=_bridge(),
    cmdclass={"build": Build, "build_ext": BuildBridge, "build_library": BuildLibrary},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
