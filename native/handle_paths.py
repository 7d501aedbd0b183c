"""Where handles are that the receiver of an event or a response owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descriptors import PACKAGE, Messages, inner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor

OWNED = f"{PACKAGE}.FfiOwnedHandle"

Path = tuple[int, ...]


def paths_below(message: Descriptor, above: tuple[Descriptor, ...] = ()) -> Iterator[Path]:
    """The paths of field numbers from *message* down to the `id` of every handle that it can own."""
    if message in above:
        raise ValueError(f"{message.full_name} contains itself: its handles have no finite list of paths")
    for field in sorted(message.fields, key=lambda field: field.number):
        child = field.message_type
        if child is None:
            continue
        if child.full_name == OWNED:
            yield (field.number, child.fields_by_name["id"].number)
        else:
            for rest in paths_below(child, (*above, message)):
                yield (field.number, *rest)


def table(envelope: Descriptor) -> dict[int, tuple[Path, ...]]:
    """For each kind (field number) of *envelope* that can own a handle, the paths inside the message of that kind."""
    kinds = {field.number: tuple(paths_below(inner(field))) for field in envelope.fields}
    return {kind: paths for kind, paths in sorted(kinds.items()) if paths}


def python_module(messages: Messages, header: str) -> str:
    """`_handle_paths.py`."""
    lines = [
        f'"""{header}',
        "",
        "Paths of field numbers from the inner message down to the id of each handle that its receiver owns.",
        '"""',
        "",
    ]
    lines += ["from typing import Final", ""]
    for name, envelope in (("EVENT_HANDLE_PATHS", "FfiEvent"), ("RESPONSE_HANDLE_PATHS", "FfiResponse")):
        fields = messages.message(envelope).fields_by_number
        lines.append(f"{name}: Final[dict[int, tuple[tuple[int, ...], ...]]] = {{")
        for kind, paths in table(messages.message(envelope)).items():
            lines.append(f"    {kind}: (  # {fields[kind].name}")
            lines += [f"        {path}," for path in paths]
            lines.append("    ),")
        lines += ["}", f'"""By field number in {envelope}."""', ""]
    return "\n".join(lines)


def c_header(messages: Messages, header: str) -> str:
    """`handle_paths.h`."""
    lines = [
        f"/* {header}",
        " *",
        " * Where the handles are that the receiver of an event or a response owns. Each row is one path of field numbers, from the outer",
        " * message (FfiEvent, FfiResponse; so the first is the kind) down to a varint, the handle, and is ended by 0. All fields on the way",
        " * but the last are length-delimited and may occur many times. Rows are sorted: those that begin with the same fields are",
        " * neighbours. A kind without a row owns nothing.",
        " */",
        "",
        "#ifndef LIVEKIT_TRIO_HANDLE_PATHS_H",
        "#define LIVEKIT_TRIO_HANDLE_PATHS_H",
        "",
        "#include <stdint.h>",
    ]
    tables = {
        "EVENT": list(paths_below(messages.message("FfiEvent"))),
        "RESPONSE": list(paths_below(messages.message("FfiResponse"))),
    }
    rows = [path for paths in tables.values() for path in paths]
    if max(max(path) for path in rows) > 255:
        raise ValueError("a field number does not fit into a byte")
    lines += ["", f"#define HANDLE_PATH_MAX {max(len(path) for path in rows) + 1}"]
    for name, paths in tables.items():
        lines += ["", f"static const uint8_t {name}_HANDLE_PATHS[][HANDLE_PATH_MAX] = {{"]
        lines += [f"    {{{', '.join(map(str, path))}}}," for path in paths]
        lines += ["};"]
    return "\n".join([*lines, "", "#endif", ""])
