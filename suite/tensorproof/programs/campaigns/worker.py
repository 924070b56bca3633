"""The process that judges programs on a backend: it may crash, hang or run out of memory, and costs no more than one program.

It reads requests from its standard input, a JSON object a line, and answers on what was its standard output.
"""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tensorproof.backend import Unsupported
from tensorproof.conformance.dump.folding import NotPlain
from tensorproof.contract.backends import load
from tensorproof.contract.declarations import Declaration
from tensorproof.errors import UsageError
from tensorproof.programs.campaigns.declared import programs_of
from tensorproof.programs.function import taking_numbers
from tensorproof.programs.judging import Subject, Verdict, subject_of
from tensorproof.programs.program import MalformedProgram, from_plain
from tensorproof.programs.script import script_of
from tensorproof.serving import serve
from tensorproof_reference.rounding import STORED


class Worker:
    """What the process knows: its backend, as programs are judged on it."""

    def __init__(self) -> None:
        self.subject: Subject | None = None

    def hello(self, backend: str, device: str | None, modules: Sequence[str]) -> dict[str, Any]:
        """Load a backend and say what it is, and which operations programs may have.

        An operation that the backend declares a layout of has no place in a program, which permutes nothing.
        """
        for module in modules:
            importlib.import_module(module)
        loaded = load(backend)
        self.subject, description = subject_of(loaded, device)
        self._require_programs()
        available = [name for name in description.sources if not loaded.declared_layout(name)]
        conventions = {name: dict(values) for name, values in self.subject.conventions.items()}
        numbers = taking_numbers(loaded, description.device, description.dtypes)
        return {
            "description": asdict(description),
            "available": available,
            "numbers": numbers,
            "writes": not self.subject.refusal,
            "dtypes": list(description.dtypes),
            "stored": [dtype for dtype in STORED if dtype in description.held],
            "memories": {
                mode: {dtype: list(self.subject.memories(dtype, mode)) for dtype in description.dtypes}
                for mode in description.every_mode
            },
            "conventions": conventions,
        }

    def _require_programs(self) -> None:
        """Refuse declarations of what is no program.

        Raises:
            UsageError: one of them is none.
        """
        assert self.subject is not None
        for item, text in _texts(self.subject.known.declared.of_kind("known_program") if self.subject.known.declared else ()):
            try:
                programs_of(text, self.subject.specification)
            except MalformedProgram as error:
                raise UsageError(f"{item.source}: program: {error}") from None

    def declared_programs(self, dtype: str, mode: str, seed: int) -> dict[str, Any]:
        """The programs of a dtype that are declared to fail in a mode: where, why, and each with several kinds of inputs."""
        assert self.subject is not None
        found = []
        for item, text in _texts(self.subject.known.programs(dtype, mode)):
            programs = programs_of(text, self.subject.specification, seed)
            if programs[0].dtype == dtype:
                plain = [asdict(program) for program in programs]
                found.append({"source": item.source, "text": text, "why": item.text, "programs": plain})
        return {"declared": found}

    def judge(self, program: Any, mode: str) -> dict[str, Any]:
        """The verdict on a program in a mode."""
        assert self.subject is not None
        try:
            return {"verdict": asdict(self.subject.verdict(from_plain(program), mode))}
        except MalformedProgram as error:
            return {"malformed": str(error)}

    def judge_together(self, programs: Sequence[Any], mode: str) -> dict[str, Any]:
        """The verdicts on programs that are compiled as one; none for each that must be judged alone."""
        assert self.subject is not None
        try:
            verdicts = self.subject.verdicts([from_plain(program) for program in programs], mode)
        except MalformedProgram:
            verdicts = [None] * len(programs)
        return {"verdicts": [item and asdict(item) for item in verdicts]}

    def declared(self, program: Any, mode: str) -> dict[str, Any]:
        """Why a program that failed is known to fail, if it is declared."""
        assert self.subject is not None
        return {"why": self.subject.known.why(from_plain(program), mode)}

    def script(self, program: Any, mode: str, verdict: Any) -> dict[str, Any]:
        """The stand-alone script of a failing program, or why there is none."""
        assert self.subject is not None
        try:
            return {"script": script_of(self.subject, from_plain(program), mode, verdict_of(verdict)), "why": ""}
        except (NotPlain, Unsupported) as error:
            return {"script": "", "why": str(error)}


def _texts(declarations: Iterable[Declaration]) -> Iterator[tuple[Declaration, str]]:
    """Each text of declarations of programs."""
    for item in declarations:
        texts = item.table["program"]
        for text in texts if isinstance(texts, list) else [texts]:
            yield item, text


def verdict_of(plain: Any) -> Verdict:
    """The verdict of plain data."""
    return Verdict(**{**plain, "judgements": tuple(plain["judgements"])})


if __name__ == "__main__":
    serve(Worker())
