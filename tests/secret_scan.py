"""A pytest plugin: no token and no key in anything that a test lets out, whatever the test is about.

Searched are, for each test: what it and its subprocesses print, its log, its warnings, its report, every error of ours that
was made while it ran, and every other error that it caught. Sought are JSON web tokens with a signature, the API secrets of
the servers that were started, and the end-to-end encryption keys that were used. A find fails the test.

An error is looked at when it dies and, while it lives, at the end of each phase: notes and causes come after its making. It
is not kept alive for that, since its traceback holds rooms and handles, which tests count.
"""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import weakref
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from typer.testing import CliRunner

from livekit_trio.rtc import KeyProviderOptions, LiveKitError
from livekit_trio.testing import DevServer

if TYPE_CHECKING:
    import warnings
    from collections.abc import Callable, Generator

    from xdist.workermanage import WorkerController

MARKER: Final = "prints_secrets"

TOKEN: Final = re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
"""Header and claims both begin with the base64 of ``{"``. Without a signature it opens nothing."""

SHORTEST: Final = 8
"""A shorter key is looked for as numbers only: as text it may be a part of any word."""

CONTEXT: Final = 60
"""Characters before a find that are shown with it."""


@attrs.define
class Secrets:
    """What must not be seen, beside tokens."""

    known: dict[str, str] = attrs.field(factory=dict[str, str])
    """Their texts, and what they are."""

    def add_key(self, key: bytes) -> None:
        """Recognise a key in the form of text, of Python's and Rust's bytes, and in hexadecimal."""
        forms = [str(list(key))]
        if len(key) >= SHORTEST:
            forms += [key.decode(errors="replace"), repr(key)[2:-1], key.hex()]
        self.known.update(dict.fromkeys(forms, "an encryption key"))

    def find(self, where: str, text: str) -> list[str]:
        """Say which kinds of secrets are in *text*: not the secrets themselves, but where they stand."""
        places = {what: text.index(secret) for secret, what in self.known.items() if secret in text}
        token = TOKEN.search(text)
        if token is not None:
            places["a JSON web token"] = token.start()
        if not places:
            return []
        blotted = self._blot(text)
        before = {what: " ".join(blotted[max(0, start - CONTEXT) : start].split()) for what, start in places.items()}
        return [f"{what} in {where}, after {words!r}" for what, words in before.items()]

    def find_in_error(self, error: BaseException) -> list[str]:
        return self.find(f"the error {type(error).__name__}", "\n".join(everything_said(error)))

    def _blot(self, text: str) -> str:
        text = TOKEN.sub(lambda found: "#" * len(found[0]), text)
        for secret in self.known:
            text = text.replace(secret, "#" * len(secret))
        return text


def everything_said(error: BaseException) -> list[str]:
    """All text of an error: its own, its notes, and that of what it comes from or consists of."""
    said: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        with contextlib.suppress(AttributeError):  # its __init__ was refused its arguments: it has no facts yet
            said.append(str(found))
        said += [repr(found), repr(found.args), *getattr(found, "__notes__", ())]
        waiting += [found.__cause__, found.__context__, *getattr(found, "exceptions", ())]
    return said


class SecretScan:
    """The hooks: into pytest, and into those classes that make errors and secrets or carry text past pytest."""

    def __init__(self) -> None:
        self._secrets = Secrets()
        self._finds: list[str] = []
        self._late_finds: list[str] = []
        self._living: weakref.WeakSet[LiveKitError] = weakref.WeakSet()
        self._told: set[int] = set()
        """The living errors, by id, that were reported: one test is to fail, not also the one in which they die."""
        self._patch = pytest.MonkeyPatch()
        self._may_print = False

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", f"{MARKER}(reason): what this test prints is not searched for secrets")

        def make_error(cls: type[LiveKitError], *args: Any, **kwargs: Any) -> LiveKitError:
            error = super(LiveKitError, cls).__new__(cls, *args, **kwargs)
            self._living.add(error)
            return error

        def forget_error(error: LiveKitError) -> None:
            if id(error) in self._told:
                self._told.remove(id(error))
            else:
                self._finds += self._secrets.find_in_error(error)

        self._patch.setattr(LiveKitError, "__new__", staticmethod(make_error))
        self._patch.setattr(LiveKitError, "__del__", forget_error, raising=False)
        self._look_after(KeyProviderOptions, "__init__", self._note_key)
        self._look_after(DevServer, "__init__", self._note_secret)
        self._look_after(pytest.RaisesExc, "__exit__", self._look_at_caught)
        self._look_after(pytest.RaisesGroup, "__exit__", self._look_at_caught)
        self._look_after(pytest.WarningsRecorder, "__exit__", self._look_at_warnings)
        self._look_after(pytest.CaptureFixture, "readouterr", self._look_at_outputs)
        self._look_after(subprocess.Popen, "communicate", self._look_at_outputs)
        self._look_after(subprocess.CompletedProcess, "__init__", self._look_at_process)
        self._look_after(CliRunner, "invoke", self._look_at_invocation)

    def pytest_unconfigure(self) -> None:
        self._patch.undo()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        marker = item.get_closest_marker(MARKER)
        if marker is not None and not marker.kwargs.get("reason"):
            raise pytest.UsageError(f"{item.nodeid}: {MARKER} needs a reason")
        self._may_print = marker is not None
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        for name, text in report.sections:
            if name.endswith(report.when):  # the others are of earlier phases
                look = self._look_at if " log " in name else self._look_at_output
                look(name, text)
        self._look_at("the report", report.longreprtext)
        for error in list(self._living):
            if finds := self._secrets.find_in_error(error):
                self._finds += finds
                self._living.discard(error)
                self._told.add(id(error))
        if self._finds:
            report.outcome = "failed"
            report.longrepr = "\n".join(("The secret scan found", *dict.fromkeys(self._finds)))
            self._finds.clear()
        return report

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Note for the end of the run: pytest speaks of a test's warnings only when it has reported on the test."""
        self._late_finds += self._secrets.find(f"a warning of {nodeid or 'pytest'}", str(warning_message.message))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        to_controller: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if to_controller is not None:
            to_controller["late finds"] = self._late_finds
        elif self._late_finds:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take over what one of several test processes has found; one that has died says nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        self._late_finds += output.get("late finds", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for find in dict.fromkeys(self._late_finds):
            terminalreporter.write_line(f"The secret scan found {find}", red=True)

    def _look_after(self, owner: type, name: str, look: Callable[..., None]) -> None:
        """Let *look* see each call of that method: the object, what it returned, its arguments."""
        method: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(method)
        def looked_at(instance: object, *args: Any, **kwargs: Any) -> Any:
            result = method(instance, *args, **kwargs)
            look(instance, result, *args)
            return result

        self._patch.setattr(owner, name, looked_at)

    def _note_key(self, keys: KeyProviderOptions, *_: object) -> None:
        if keys.shared_key:
            self._secrets.add_key(keys.shared_key)

    def _note_secret(self, server: DevServer, *_: object) -> None:
        self._secrets.known[server.api_secret] = "an API secret"

    def _look_at_caught(
        self, _context: object, _caught: object, _type: object, error: BaseException | None, _traceback: object
    ) -> None:
        if error is not None:
            self._finds += self._secrets.find_in_error(error)

    def _look_at_warnings(self, recorder: pytest.WarningsRecorder, *_: object) -> None:
        for warning in recorder.list:
            self._look_at("a warning", str(warning.message))

    def _look_at_process(self, process: subprocess.CompletedProcess[Any], *_: object) -> None:
        self._look_at_outputs(process, (process.stdout, process.stderr))

    def _look_at_invocation(self, _runner: CliRunner, result: Any, *_: object) -> None:
        self._look_at_output("a command's output", result.output)

    def _look_at_outputs(self, source: object, outputs: tuple[Any, Any], *_: object) -> None:
        for output in outputs:
            text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
            self._look_at_output(f"what {type(source).__name__} captured", text)

    def _look_at_output(self, where: str, text: str) -> None:
        if not self._may_print:
            self._look_at(where, text)

    def _look_at(self, where: str, text: str) -> None:
        self._finds += self._secrets.find(where, text)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SecretScan())
