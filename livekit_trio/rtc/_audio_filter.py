"""Audio filters: native plug-ins that clean the sound of a track before its frames are made."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final, final

import attrs
from typing_extensions import override

from .._errors import AudioFilterError
from .._ffi._load import load_library
from .._ffi._messages import decode_response
from .._ffi._send import send_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_loading: Final = threading.Lock()


@attrs.frozen
class NoiseCancellationOptions:
    """Which loaded audio filter to use on a stream, and how.

    Attributes:
        module_id: of an `AudioFilter`.
        options: what the filter wants to know; it gets them as JSON.
    """

    module_id: str
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def as_fields(self) -> dict[str, str]:
        """The fields of the native request that opens a stream."""
        return {"audio_filter_module_id": self.module_id, "audio_filter_options": json.dumps(dict(self.options))}


@final
class AudioFilter:
    """A native plug-in, loaded for the rest of the process: a shared library with LiveKit's audio filter functions.

    Load it before the rooms whose sound it is to clean are joined: it is told their addresses and tokens when they are.
    Loading may take a while, for it runs the plug-in's code; use a worker thread where that matters.

    Args:
        module_id: the name under which streams ask for it, see `NoiseCancellationOptions`. Loading another filter under the
            same name replaces it.
        path: the shared library.
        dependencies: shared libraries that it needs, loaded before it.

    Raises:
        AudioFilterError: it could not be loaded.
        NativeLoadError: the native library could not be loaded.

    Source:
        LoadAudioFilterPluginRequest (livekit-ffi audio_frame.proto).
    """

    def __init__(
        self, module_id: str, path: str | os.PathLike[str], dependencies: Iterable[str | os.PathLike[str]] = ()
    ) -> None:
        if not module_id:
            raise AudioFilterError("an audio filter needs a module_id")
        self._module_id = module_id
        self._path = os.fspath(path)
        fields = {
            "plugin_path": self._path,
            "dependencies": [os.fspath(dependency) for dependency in dependencies],
            "module_id": module_id,
        }
        with _loading:
            response = decode_response(send_request(load_library(), "load_audio_filter_plugin", fields))
        if response.error:
            raise AudioFilterError(response.error)

    @property
    def module_id(self) -> str:
        """The name under which streams ask for it."""
        return self._module_id

    @override
    def __repr__(self) -> str:
        return f"rtc.AudioFilter({self._module_id!r}, {self._path!r})"
