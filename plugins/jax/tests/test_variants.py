"""Each variant of a mode does what its name says: a batch is one, and what is computed again is."""

import jax
import jax.numpy as jnp
import numpy as np

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
    np.testing.assert_allclose(y, x - 2.5)
    assert int(others) == 4


def test_what_mixes_the_items_of_a_batch_is_seen():
    mixing = jax.custom_batching.custom_vmap(lambda x: x - x.mean())

    @mixing.def_vmap
    def rule(size, batched, x):
        return x - x.mean() * jnp.asarray([1.0, 2.0])[:, None], batched[0]

    x = jnp.arange(3.0)
    (y,), _ = JaxBackend().forward(lambda primals, constants: ((mixing(*primals),), ()), VMAP)((x,), ())
    assert not np.allclose(y, x - x.mean())


def test_gradients_go_through_a_batch_and_through_what_is_computed_again():
    x, dy = jnp.asarray([0.5, 2.0]), jnp.asarray([1.0, 10.0])
    for mode in JaxBackend.variants:
        run = JaxBackend().value_and_vjp(lambda primals, constants: ((jnp.sin(primals[0]),), ()), mode)
        (y,), _, (dx,) = run((x,), (), (dy,))
        np.testing.assert_allclose(y, np.sin(x), rtol=1e-6)
        np.testing.assert_allclose(dx, dy * np.cos(x), rtol=1e-6)


def test_what_is_to_be_computed_again_is_marked():
    program = jax.make_jaxpr(jax.grad(differentiated(lambda x: jnp.sin(jnp.sin(x)), REMAT)))(1.0)
    assert "remat" in str(program) or "checkpoint" in str(program)
    assert str(jax.make_jaxpr(jax.grad(differentiated(jnp.sin, "jit")))(1.0)).count("remat") == 0
