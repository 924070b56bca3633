"""Each variant of a mode does what its name says: a batch is one, and what is computed again is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faulty import checks_of

from tensorproof.conformance.checks import run_check
from tensorproof_jax import JaxBackend
from tensorproof_jax.jitted import REMAT, VMAP, differentiated


def test_a_batch_holds_other_numbers_and_the_last_result_is_that_of_the_arguments():
    seen = []

    def function(primals, constants):
        (x,) = primals
        seen.append(x.shape)
        return (x - x.mean(),), (constants[0] + 1,)

    x, count = jnp.arange(6.0).reshape(2, 3), jnp.asarray(3)
    (y,), (others,) = JaxBackend().forward(function, VMAP)((x,), (count,))
    assert seen == [(2, 3)]
    np.testing.assert_array_equal(y, x - 2.5)
    assert int(others) == 4


def test_what_mixes_the_items_of_a_batch_is_seen():
    mixing = jax.custom_batching.custom_vmap(lambda x: x - x.mean())

    @mixing.def_vmap
    def rule(size, batched, x):
        return x - x.mean() * jnp.asarray([1.0, 2.0])[:, None], batched[0]

    x = jnp.arange(3.0)
    (y,), _ = JaxBackend().forward(lambda primals, constants: ((mixing(*primals),), ()), VMAP)((x,), ())
    assert not np.array_equal(y, x - x.mean())


@pytest.mark.parametrize("mode", JaxBackend.variants)
def test_values_and_gradients_pass_in_each(mode):
    session, cases = checks_of(JaxBackend(), "tanh")
    chosen = [case for case in cases if (case.mode, case.sample, case.dtype) == (mode, "plain_both_signs", "float32")]
    assert {"forward", "gradient"} <= {case.check for case in chosen}
    assert {run_check(session, case).status for case in chosen} == {"passed"}


def test_what_is_to_be_computed_again_is_marked():
    program = jax.make_jaxpr(jax.grad(differentiated(lambda x: jnp.sin(jnp.sin(x)), REMAT)))(1.0)
    assert "remat" in str(program) or "checkpoint" in str(program)
    assert str(jax.make_jaxpr(jax.grad(differentiated(jnp.sin, "jit")))(1.0)).count("remat") == 0
