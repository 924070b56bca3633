"""The command ``tensorproof nightly``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tensorproof.errors import UsageError, shown
from tensorproof.processes import guarded
from tensorproof.runs.run import COULD_NOT_GO_ON, INTERRUPTED

if TYPE_CHECKING:
    from tensorproof.nightly.judge import Alarm
    from tensorproof.nightly.night import Plan
    from tensorproof.nightly.processes import Runner

EXIT_CODES = """exit codes:
  0  nothing to alarm
  1  a confirmed regression, a new failure, or results that are missing, incomplete or stale; all is published already
  2  interrupted; the next call goes on where this one was
  3  ended early: the history cannot be written (a full disk); the next call goes on where this one was
  4  usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXIT_CODES
    parser.add_argument("--history", required=True, type=Path, metavar="DIR", help="folder of the nights")
    parser.add_argument(
        "--env", action="append", default=[], metavar="BACKEND=PLACE", help="a backend and its environment (repeat for several)"
    )
    parser.add_argument(
        "--accepted", type=Path, default=None, metavar="FILE", help="accepted changes (default: accepted.toml, if any)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only-collect", action="store_true", help="run conformance and timings, judge nothing")
    what.add_argument("--only-judge", action="store_true", help="judge the records that are there, confirm and publish")
    what.add_argument("--check-only", action="store_true", help="tell the alarms of the newest night and whether it is too old")
    parser.add_argument("--night", default=None, metavar="NAME", help="the night to work on, such as 2026-11-21T030000Z")
    parser.add_argument(
        "--stale-hours", type=float, default=20.0, metavar="N", help="age at which a night is too old (default: 20)"
    )
    parser.add_argument(
        "--stage-timeout", type=float, default=7200.0, metavar="SECONDS", help="end a stage after this (default: 7200)"
    )
    parser.add_argument(
        "--confirmations", type=int, default=24, metavar="N", help="candidates to confirm in one night at most (default: 24)"
    )
    parser.add_argument(
        "-n", dest="workers", type=int, default=2, metavar="N", help="worker processes of conformance (default: 2)"
    )
    parser.add_argument("--launches", type=int, default=3, metavar="N", help="launches of the timings (default: 3)")
    parser.add_argument("--threads", type=int, default=None, metavar="N", help="threads of the timings")
    parser.add_argument("--rounds", type=int, default=None, metavar="N", help="rounds of the timings")
    limit = "rounds of a series end after this time (default: 0.4); the gates look at many nights"
    parser.add_argument("--series-seconds", type=float, default=0.4, metavar="SECONDS", help=limit)
    for name, words in (
        ("op", "operation to check and time"),
        ("workload", "workload to time (default: S and M)"),
        ("direction", "direction to time"),
        ("dtype", "dtype to time (default: float32)"),
        ("mode", "mode to time"),
    ):
        parser.add_argument(f"--{name}", action="append", default=[], metavar="NAME", help=f"{words} (repeat for several)")


def plan_of(options: argparse.Namespace) -> "Plan":
    """What the options ask for.

    Raises:
        UsageError: an option is malformed or names what does not exist, or ``accepted.toml`` is malformed.
    """
    from tensorproof.conformance.selection.options import known_names
    from tensorproof.contract.backends import specification
    from tensorproof.nightly.accepted import read_accepted
    from tensorproof.nightly.night import Plan
    from tensorproof.nightly.packages import named_environments
    from tensorproof.timing.plan import DIRECTIONS
    from tensorproof_reference.operation import DTYPES, SIZES

    for name in ("stale-hours", "stage-timeout", "series-seconds"):
        value = getattr(options, name.replace("-", "_"))
        if not value > 0:
            raise UsageError(f"--{name}: expected a number above 0, got {value}")
    for name, count in (("n", options.workers), ("confirmations", options.confirmations)):
        if count < 0:
            raise UsageError(f"--{name}: expected a count, got {count}")
    for name in ("launches", "threads", "rounds"):
        count = getattr(options, name)
        if count is not None and count < 1:
            raise UsageError(f"--{name}: expected at least 1, got {count}")
    # A name that is none would end each stage, the timings after hours of conformance.
    known = {"op": list(specification()), "workload": SIZES, "direction": DIRECTIONS, "dtype": DTYPES}
    for name, names in known.items():
        known_names(name, getattr(options, name), names)
    places = named_environments(options.env)
    if not places and not options.check_only:
        raise UsageError("--env: name at least one backend and its environment, such as --env torch=.tox/torch")
    if options.only_collect and options.only_judge:
        raise UsageError("--only-collect and --only-judge: choose one")
    accepted = options.accepted or (Path("accepted.toml") if Path("accepted.toml").is_file() else None)
    chosen = {name: getattr(options, name) for name in ("op", "workload", "direction", "dtype", "mode")}
    chosen["workload"] = chosen["workload"] or ["S", "M"]
    chosen["dtype"] = chosen["dtype"] or ["float32"]
    timing = [f"--{name}={value}" for name, values in chosen.items() for value in values]
    numbers = {name: getattr(options, name.replace("-", "_")) for name in ("launches", "threads", "rounds", "series-seconds")}
    timing += [f"--{name}={value}" for name, value in numbers.items() if value is not None]
    return Plan(
        history=options.history.absolute(),
        places=places,
        accepted=read_accepted(accepted) if accepted else (),
        check_arguments=[f"-n{options.workers}", *(f"--op={name}" for name in options.op)],
        time_arguments=timing,
        timings="timings_" + "_".join(places) if options.only_collect else "timings",
        confirmations=options.confirmations,
        stale_hours=options.stale_hours,
    )


def run(options: argparse.Namespace, make_runner: "Callable[[float, Sequence[int]], Runner] | None" = None) -> int:
    """Run the command; the return value is the exit code.

    Raises:
        UsageError: an option is malformed, or the extra ``nightly`` is not installed.
    """
    try:
        from tensorproof.nightly.night import collect, finish, look_into_all, open_night, standing
        from tensorproof.nightly.processes import locked, process_runner
    except ModuleNotFoundError as error:
        message = f"tensorproof nightly needs {error.name}; install it with: pip install 'tensorproof[nightly]'"
        raise UsageError(message) from None
    from tensorproof.nightly.history import now

    plan = plan_of(options)
    if options.check_only:
        return _tell(standing(plan.history, plan.stale_hours, now()))
    try:
        with guarded(), locked(plan.history) as inherited:
            runner = (make_runner or process_runner)(options.stage_timeout, inherited)
            environments, absent = look_into_all(plan.places)
            night = open_night(plan, environments, now(), options.night or _newest(plan.history, options.only_judge))
            if not options.only_judge:
                collect(plan, night, environments, runner)
            if options.only_collect:
                return _tell([*absent, *night.failures()])
            judgement = finish(plan, night, environments, [] if options.only_judge else absent, runner)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one was", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"ended early: {plan.history.name} cannot be written: {error.strerror}; the same command goes on", file=sys.stderr)
        return COULD_NOT_GO_ON
    print(shown(f"night: {night.folder}"))
    return _tell(judgement.alarms)


def _newest(history: Path, wanted: bool) -> str | None:
    from tensorproof.nightly.history import nights

    if not wanted:
        return None
    folders = nights(history)
    if not folders:
        raise UsageError(f"--only-judge: there is no night in {history.name}; collect one first")
    return folders[-1].name


def _tell(alarms: "list[Alarm]") -> int:
    from tensorproof.nightly.summary import headline

    print(shown(headline(alarms)))
    for alarm in alarms:
        print(shown(f"  {alarm.kind}: {alarm.subject}: {alarm.message}"))
    return 1 if alarms else 0
