"""What JAX does to a careless benchmark, and that the suite's way of timing is not deceived."""

import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorproof import cli
from tensorproof.contract.backends import load
from tensorproof.timing.results.records import read_timing_record
from tensorproof.timing.worker.blocks import latencies
from tensorproof.timing.worker.closures import held_arrays

SIZE = 384
PRODUCT = 2 * SIZE**3
"""Floating-point operations of the product of two square matrices."""


@pytest.fixture(scope="module")
def backend():
    found = load("jax")
    found.open_device("cpu")
    return found


@pytest.fixture(scope="module")
def squares():
    draw = np.random.default_rng(0)
    return tuple(jnp.asarray(draw.random((SIZE, SIZE), np.float32)) for _ in range(3))


def median_ns(call, sets, wait, calls=15):
    latencies(call, sets, len(sets), 0, wait, [None] * len(sets))
    return statistics.median(latencies(call, sets, calls, 0, wait, [None] * len(sets)))


def operations_of(function, *arguments):
    """The floating-point operations of the program that XLA has made of a function."""
    return function.lower(*arguments).compile().cost_analysis().get("flops", 0.0)


def test_a_result_that_is_not_waited_for_reads_as_what_asking_for_it_takes(backend, squares):
    product = jax.jit(lambda x: x @ x @ x @ x)
    sets = [(x,) for x in squares]
    waited = median_ns(product, sets, lambda results: backend.wait(results, "cpu"))
    naive = []
    for x in squares * 5:
        naive += latencies(product, [(x,)], 1, 0, lambda results: None, [None])
        jax.block_until_ready(product(x))
    assert min(naive) < waited / 2


def test_a_closure_constant_is_folded_and_a_function_that_holds_one_is_refused(backend, squares):
    x, held, _ = squares

    def folded(primals, constants):
        return (primals[0] + held @ held,), ()

    def honest(primals, constants):
        return (primals[0] + primals[1] @ primals[1],), ()

    assert operations_of(jax.jit(folded), (x,), ()) < PRODUCT
    assert operations_of(jax.jit(honest), (x, held), ()) >= PRODUCT
    for mode in ("eager", "jit"):
        assert held_arrays(backend, backend.forward(folded, mode))
        assert not held_arrays(backend, backend.forward(honest, mode))


def test_what_nobody_reads_is_not_computed_and_every_result_of_what_is_timed_is(backend, squares):
    def unread(x):
        y = x @ x
        return x[0, 0] + 0.0 * y.size

    def read(primals, constants):
        return (primals[0] @ primals[0],), ()

    x, *_ = squares
    assert operations_of(jax.jit(unread), x) == 0
    assert operations_of(backend.forward(read, "jit"), (x,), ()) >= PRODUCT


def test_the_gradient_of_a_sum_is_a_constant_and_that_for_a_cotangent_is_computed(backend, squares):
    def halved(primals, constants):
        return (0.5 * primals[0] + 1.0,), ()

    x, _, dy = squares
    of_a_sum = jax.jit(jax.grad(lambda x: halved((x,), ())[0][0].sum()))
    assert operations_of(of_a_sum, x) == 0
    only_the_value = operations_of(backend.forward(halved, "jit"), (x,), ())
    assert operations_of(backend.value_and_vjp(halved, "jit"), (x,), (), (dy,)) >= only_the_value + x.size


def test_compiling_is_timed_without_and_with_kept_programs_and_never_taken_for_one_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["time", "jax", "--op=scaled_dot_product_attention", "--workload=S", "--direction=forward", "--mode=jit"]
    command += ["--launches=2", "--rounds=1", "--series-seconds=0.1", "--compile-cache=kept"]
    found = []
    for name in ("first.ndjson", "second.ndjson"):
        assert cli.main([*command, f"--record={name}"]) == 0
        record = read_timing_record(tmp_path / name)
        found.append((record.timings[0]["compile"], record.header["notes"]))
    (first, unsaid), (second, said) = found
    # Reading a program takes a hundredth of making it, so that other work on the machine does not turn this round.
    assert first["cold"]["compile_ns"] > first["warm"]["compile_ns"] > 0
    assert second["cold"] is None
    assert second["warm"]["compile_ns"] < first["cold"]["compile_ns"]
    note = "compiled programs of earlier runs were there for jax: no time of compiling without them"
    assert note in said
    assert note not in unsaid
