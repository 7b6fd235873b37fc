"""Reads the text of a program that XLA compiled for a GPU: what it starts, how often, and in which types."""

import collections
import re
from collections.abc import Iterator
from typing import NamedTuple

# Operations that start nothing on the device; of an asynchronous pair the start counts.
FREE = set("parameter get-tuple-element tuple bitcast constant after-all opt-barrier partition-id replica-id".split())
FREE |= {"async-done", "async-update", "copy-done", "all-reduce-done"}
HOST = {"infeed", "outfeed", "send", "recv"}  # operations that wait for the host


class Operation(NamedTuple):
    """One operation of a computation: its kind, the type of its result, and its line in the text."""

    kind: str
    dtype: str
    line: str

    def find(self, pattern: str) -> str:
        """Return what a pattern finds in the line, or an empty text."""
        found = re.search(pattern, self.line)
        return found[1] if found else ""

    @property
    def calls(self) -> list[str]:
        """The computations that the operation runs itself; a fusion is one kernel."""
        if self.kind == "call":
            return [self.find(r"to_apply=%?([\w.\-]+)")]
        if self.kind == "conditional":
            several = self.find(r"branch_computations=\{([^}]*)\}")
            return re.findall(r"%?([\w.\-]+)(?:,|$)", several) or re.findall(
                r"(?:true|false)_computation=%?([\w.\-]+)", self.line
            )
        return []

    @property
    def name(self) -> str:
        """What is started: the name of a library call, a product by Triton, a copy, or a kernel of XLA."""
        if self.kind == "custom-call":
            return self.find(r'custom_call_target="([^"]+)"')
        if self.kind == "fusion":
            if "__triton" in self.line:
                return "Triton kernel"
            return "copy" if "kind=kCustom" in self.line else "kernel"
        return "copy" if self.kind in ("copy", "copy-start") else self.kind


class Loop(NamedTuple):
    """A loop, or the program outside of all loops: how often its body runs (None: unknown), and what a run starts."""

    name: str
    trips: int | None
    starts: dict[str, int]


def parse(text: str) -> tuple[dict[str, list[Operation]], str]:
    """Return the operations of every computation, and the name of the computation where the program begins."""
    computations: dict[str, list[Operation]] = {}
    current, entry = "", ""
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{", line)
        if head:
            current = head[2]
            computations[current] = []
            entry = current if head[1] else entry
        elif current:
            found = re.match(r"\s+(?:ROOT )?%?[\w.\-]+ = \(?(\w+)\[?.*? ([a-z][\w\-]*)\(%?", line)
            if found:
                computations[current].append(Operation(found[2], found[1], line.strip()))
    return computations, entry


def walk(computations: dict[str, list[Operation]], name: str) -> Iterator[Operation]:
    """Yield the operations of a computation and of those that it calls; of a choice those of its longest branch."""
    for operation in computations[name]:
        if operation.calls:
            yield from max((list(walk(computations, call)) for call in operation.calls), key=len)
        if operation.kind not in FREE and operation.kind != "call":
            yield operation


def find_loops(text: str) -> list[tuple[Loop, int]]:
    """Return the program outside of its loops, every loop, and how often each runs in a call of the program.

    A loop of unknown length is counted as one run of its body.
    """
    computations, entry = parse(text)

    def follow(name: str, trips: int | None, runs: int) -> Iterator[tuple[Loop, int]]:
        operations = list(walk(computations, name))
        loops = [operation for operation in operations if operation.kind == "while"]
        starts = collections.Counter(operation.name for operation in operations if operation.kind != "while")
        yield Loop(name, trips, dict(starts.most_common())), runs
        for operation in loops:
            known = operation.find(r'known_trip_count":\{"n":"(\d+)"')
            inner = int(known) if known else None
            yield from follow(operation.find(r"body=%?([\w.\-]+)"), inner, runs * (inner or 1))

    return list(follow(entry, 1, 1))


def describe(text: str) -> dict:
    """Describe a compiled program: launches in all and by loop, library calls, convolutions, and what must not be.

    `convolutions` and `products` are counted by the type of their result, convolutions by the layout as well; `tf32`
    are those of float32 that may round inside.
    """
    computations, _ = parse(text)
    operations = [operation for body in computations.values() for operation in body]
    calls = [operation for operation in operations if operation.kind == "custom-call"]
    convolutions = [o for o in calls if "cudnn$conv" in o.name] + [o for o in operations if o.kind == "convolution"]
    products = [o for o in calls if "gemm" in o.name or "matmul" in o.name] + [o for o in operations if o.kind == "dot"]
    loops = find_loops(text)
    return {
        "launches": sum(runs * sum(loop.starts.values()) for loop, runs in loops),
        "loops": [
            {"name": loop.name, "trips": loop.trips, "runs": runs, "launches": sum(loop.starts.values())}
            | {"starts": loop.starts}
            for loop, runs in loops
        ],
        "loops_of_unknown_length": sum(loop.trips is None for loop, _ in loops),
        "library_calls": dict(collections.Counter(operation.name for operation in calls)),
        "convolutions": dict(collections.Counter(f"{o.dtype} {o.find(r'dim_labels=([^,} ]+)')}" for o in convolutions)),
        "products": dict(collections.Counter(operation.dtype for operation in products)),
        "tf32": sum(o.dtype == "f32" and "highest" not in o.line.lower() for o in [*convolutions, *products]),
        "float64": len(re.findall(r"\b(?:f64|c128)\[", text)),
        "callbacks": sum("callback" in o.name for o in calls)
        + len(re.findall(r" (?:infeed|outfeed|send|recv)\(", text)),
    }
