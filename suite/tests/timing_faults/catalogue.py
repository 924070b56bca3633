"""What must catch each fault: a question of a timing's trust, or the status of its series."""

from dataclasses import dataclass

FORWARD, GRADIENT = "forward", "forward+backward"


@dataclass(frozen=True)
class Planted:
    """A fault in a backend, and what catches it."""

    does: str
    """What the backend does, for people."""
    contender: str
    caught_by: str
    """``trust:<question>``, ``status:<status>``, ``duel:<verdict>``, or ``right`` where nothing is to be caught."""
    says: str
    """Part of the message."""
    operation: str = "gelu"
    direction: str = FORWARD
    reference: str = "slipshod eager"
    """What it is timed against."""

    @property
    def key(self) -> str:
        """What names it in tests."""
        return f"{self.contender.replace(' ', '-')}-{self.operation}-{self.direction}"


NOT_ANEW = "other arguments gave the same result"

FAULTS = (
    Planted("queues its calls and does not wait for them", "slipshod not_waited_for", "trust:ready", "was not waited for"),
    Planted(
        "queues its calls and does not wait for them, with gradients",
        *("slipshod not_waited_for", "trust:ready", "was not waited for"),
        direction=GRADIENT,
    ),
    Planted("waits for another queue (device, stream) than it uses", "slipshod wrong_queue", "trust:ready", "was not waited for"),
    Planted("computes when a result is first read", "slipshod computed_when_read", "trust:ready", "was not waited for"),
    Planted("computes each time that a result is read", "slipshod computed_at_each_read", "trust:ready", "was not waited for"),
    Planted("returns its first result for ever", "slipshod first_result", "trust:output", NOT_ANEW),
    Planted("keeps results by the identity of the arguments", "slipshod kept_by_identity", "trust:rotation", "never seen"),
    Planted("keeps results by the values of the arguments", "slipshod kept_by_value", "trust:rotation", "never seen"),
    Planted("skips work if the arguments are those of the last call", "slipshod last_result", "trust:rotation", "never seen"),
    Planted("folds a constant that its function holds", "slipshod folded_constant", "status:error", "holds arrays"),
    Planted("computes from the first call's arguments", "slipshod first_arguments", "trust:output", NOT_ANEW),
    Planted(
        "takes weights over once and ignores them afterwards",
        *("slipshod first_weights", "trust:output", NOT_ANEW),
        operation="matmul",
    ),
    Planted("computes in half precision", "slipshod half_precision", "trust:output", "bars from the reference"),
    Planted(
        "drops a gradient: none",
        *("slipshod gradient_none", "trust:output", "bars from the reference"),
        direction=GRADIENT,
    ),
    Planted(
        "drops a gradient: zeros",
        *("slipshod gradient_zero", "trust:output", "bars from the reference"),
        direction=GRADIENT,
    ),
    Planted("touches fresh memory in each call", "slipshod fresh_memory", "trust:faults", "minor page faults a call"),
    Planted(
        "is slower by 5 %",
        *("slipshod slower_by_5_percent", "duel:slower", ""),
        reference="slipshod spins",
    ),
    Planted(
        "keeps a second thread busy, on a core that is not its own",
        "more_threads eager",
        "trust:threads",
        "cores in use of 1 given",
    ),
    Planted("replaces the clocks of the module time", "patched_time spins", "right", "", reference="patched_time eager"),
    Planted("makes the suite's own clock run at half speed", "slow_clock spins", "trust:clock", "of the time"),
    Planted("stops the suite's own clock", "still_clock eager", "status:error", "the clock stood still"),
    Planted("returns nonsense in the call before each block, which is not timed", "slipshod garbage_while_untimed", "right", ""),
)

FAILURES = (
    Planted("aborts (signal 6) when it compiles", "failing abort_prepare", "status:crashed", "signal 6", "relu"),
    Planted("aborts in the third round", "failing abort_block", "status:crashed", "signal 6", "relu"),
    Planted("ends the process while it warms up", "failing exits_warm_up", "status:error", "SystemExit: 3", "relu"),
    Planted("is killed (signal 9) in the third round", "failing killed_block", "status:out_of_memory", "signal 9", "relu"),
    Planted("hangs in the third round", "failing hangs_block", "status:timed_out", "no answer within", "relu"),
    Planted("lacks memory when it compiles", "failing memory_error_prepare", "status:out_of_memory", "MemoryError", "relu"),
    Planted("lacks memory in the third round", "failing memory_error_block", "status:out_of_memory", "MemoryError", "relu"),
    Planted("raises an error in the third round", "failing raises_block", "status:error", "no kernel for this", "relu"),
    Planted("raises an error after the last round", "failing raises_audit", "status:error", "no kernel for this", "relu"),
    Planted("prints to standard output when it compiles", "failing prints_prepare", "right", "", "relu"),
    Planted("prints to standard output in the third round", "failing prints_block", "right", "", "relu"),
)
"""Each costs its own series only; they are timed between ``failing eager`` and ``failing steady``, which are right."""

MISSED = (
    (
        "lets another process do the work, and waits for it",
        "CPU time and page faults are the worker's own; the timing itself is right. `threads` then shows far less than one core.",
    ),
    (
        "finds out that it is timed (by looking at its callers) and does less then",
        "What was timed is what is judged, so the results must be right; but it may be faster than for a user.",
    ),
    (
        "replaces the suite's own loops, or its clocks in some blocks only",
        "Code in the same process can change anything. The controller's clock, in another process, bounds what can be gained: "
        "a clock that runs at less than two thirds in every block shows, and so does one that is fast.",
    ),
    (
        "keeps results of calls that take less than twice as long as finding them",
        "Nothing that can be told apart from noise is gained.",
    ),
    (
        "computes in a precision that stays within the error bars",
        "That is what the error bars allow; the error is shown beside the time.",
    ),
)
"""What nothing catches, and why."""
