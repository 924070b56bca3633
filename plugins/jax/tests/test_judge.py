"""``tensorproof.judge`` on functions of JAX: right ones, one that a compiler gets wrong, and what is not known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorproof

tensorproof_jax = pytest.importorskip("tensorproof_jax")


def block(x, w, b):
    """A layer with its residual, normalized."""
    y = jax.nn.gelu(x @ w + b) + x
    return (y - y.mean(-1, keepdims=True)) * jax.lax.rsqrt(jnp.var(y, -1, keepdims=True) + 1e-5)


def attention(q, k, v):
    """With a causal mask."""
    mask = jnp.tril(jnp.ones((5, 5), bool))
    scores = jnp.einsum("bik,bjk->bij", q, k) / 8.0**0.5
    weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf), -1)
    return {"weights": weights, "scores": scores, "v": jnp.pad(v, ((0, 0), (1, 0), (0, 2)))}


def moved(x):
    """Parts, moves and sums."""
    joined = jnp.concatenate([x.T, jnp.cumsum(x.T, 0)], 1)[1:, ::2]
    return jax.nn.relu(joined).max(1), jax.nn.log_softmax(joined, 0), jax.nn.silu(x) ** 3


def network(x, w, v):
    """A convolution of images with channels last, pooled, and one of sequences."""
    kernel = jax.lax.conv_general_dilated(x, w, (1, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    largest = jax.lax.reduce_window(kernel, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 1, 1), "VALID")
    average = jax.lax.reduce_window(kernel, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME") / 9
    rows = jax.lax.conv_general_dilated(x[:, 0].swapaxes(1, 2), v, (1,), [(2, 0)], rhs_dilation=(2,), feature_group_count=3)
    return jnp.tanh(largest), average, rows


def indexed(x, table):
    """Parts of arrays by number."""
    places = jnp.array([[0, 3], [-1, 1]])
    left, right = jnp.split(x, [2], axis=1)
    along = jnp.take_along_axis(x, jnp.array([[3], [0], [5]]), 1) + jnp.take_along_axis(x, jnp.arange(18).reshape(3, 6) // 3, 1)
    both = table[jnp.array([1, 0]), jnp.array([2, 5])]
    part = jax.lax.dynamic_slice(x, (1, 4), (2, 3))
    limited = jnp.sort(jnp.clip(x, -0.5, 1.0), 0), jax.lax.clamp(jnp.float32(-0.5), x, jnp.float32(0.5))
    sums = jax.lax.cumsum(x, 1, reverse=True)
    return left * 2, right, table[places], jnp.take(x, places, 1), along, both, part, limited, sums


def changed(x, updates):
    """Parts of arrays put elsewhere, and a loss of labels."""
    added = x.at[jnp.array([[0, -1], [0, 2]])].add(updates)
    column = x.at[:, jnp.array([3, 1])].set(updates[0, 0, :2] * 2)
    rows = jax.ops.segment_sum(jnp.exp(x), jnp.array([0, 2, 2, 0]), 3)
    loss = jax.nn.logsumexp(x, 1) - jnp.take_along_axis(x, jnp.array([[1], [0], [4], [2]]), 1)[:, 0]
    return added, column, rows, x.at[1].set(0.5) * 3, loss


def given(*shapes):
    """Normal numbers."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (block, [(4, 6), (6, 6), (6,)]),
        (attention, [(2, 5, 8)] * 3),
        (moved, [(4, 6)]),
        (network, [(2, 6, 7, 3), (3, 3, 3, 4), (6, 1, 2)]),
        (indexed, [(3, 6), (5, 6, 2)]),
        (changed, [(4, 5), (2, 2, 5)]),
    ],
    ids=["block", "attention", "moved", "network", "indexed", "changed"],
)
def test_a_right_function_is_right_compiled(function, shapes):
    found = tensorproof.judge(function, *given(*shapes), backend="jax", modes=["jit"])
    assert found.modes["jit"].status == "passed", found.text
    assert not found.unknown
    assert not found.notes


def test_a_wrong_rewrite_is_found_where_it_is():
    def wrong(function):
        def compiled(*arguments):
            closed = jax.make_jaxpr(function)(*arguments)

            def rewritten(*given):
                values = dict(zip(closed.jaxpr.invars, given, strict=True))
                for equation in closed.jaxpr.eqns:
                    taken = [item.val if hasattr(item, "val") else values[item] for item in equation.invars]
                    result = equation.primitive.bind(*taken, **equation.params)
                    values[equation.outvars[0]] = result * 1.001 if equation.primitive.name == "tanh" else result
                return [values[item] for item in closed.jaxpr.outvars]

            return rewritten(*arguments)

        return compiled

    def function(x, y):
        return jnp.exp(jnp.tanh(jnp.sin(x) * y))

    found = tensorproof.judge(function, *given((3, 4), (3, 4)), backend="jax", modes=["jit"], compilers={"mine": wrong})
    assert (found.modes["jit"].status, found.modes["mine"].status) == ("passed", "failed")
    assert "= tanh(" in found.modes["mine"].wrong


def rows(x, table):
    """Rows of a table."""
    return table[jnp.array([[0, 3], [-1, 1]])]


def wrong_rows(x, table):
    """The same, but for one of them."""
    return table[jnp.array([[0, 3], [4, 2]])]


def pairs(x, table):
    """The larger of two neighbours."""
    return jax.lax.reduce_window(x[:, :-1, None], -jnp.inf, jax.lax.max, (1, 2, 1), (1, 2, 1), "VALID")


def wrong_pairs(x, table):
    """Windows that begin one place later."""
    return jax.lax.reduce_window(x[:, 1:, None], -jnp.inf, jax.lax.max, (1, 2, 1), (1, 2, 1), "VALID")


def largest(x, table):
    """The two largest of each row."""
    return jnp.sin(jax.lax.top_k(x, 2)[0])


def wrong_largest(x, table):
    """The two after the largest."""
    return jnp.sin(jax.lax.top_k(x, 3)[0][:, 1:])


@pytest.mark.parametrize(("right", "wrong"), [(rows, wrong_rows), (pairs, wrong_pairs), (largest, wrong_largest)])
def test_another_place_or_window_is_wrong(right, wrong):
    found = tensorproof.judge(right, *given((3, 7), (5, 6, 2)), backend="jax", modes=["jit"], compilers={"mine": lambda _: wrong})
    assert not found.unknown
    assert (found.modes["jit"].status, found.modes["mine"].status) == ("passed", "failed")


@pytest.mark.parametrize(
    ("function", "unknown"),
    [
        (lambda x: x.at[jnp.array([0, 9])].get(mode="fill", fill_value=0.0), "lax.gather"),
        (lambda x: jax.lax.conv_general_dilated(x[None], x[None], (1,), [(-1, 0)]), "lax.conv_general_dilated"),
        (lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 2), (1, 1), "VALID"), "lax.reduce_window_sum"),
        (lambda x: jax.lax.sort_key_val(x, x)[1], "lax.sort"),
        (lambda x: x.at[jnp.array([1, 1])].set(x[:2]), "lax.scatter"),
        (lambda x: jax.lax.top_k(x, 2)[1] * x[:, :2], "lax.top_k"),
    ],
    ids=["outside", "cropped", "without_channels", "by_key", "twice", "places_of_the_largest"],
)
def test_what_the_specification_does_not_have_is_unknown(function, unknown):
    assert tensorproof.judge(function, *given((3, 3)), backend="jax", modes=["jit"]).unknown == (unknown,)


def test_what_is_not_known_is_listed_and_a_stopped_gradient_is_none():
    def function(x):
        return jnp.exp(x) * jax.lax.stop_gradient(x), jax.lax.erf_inv(jnp.tanh(x))

    found = tensorproof.judge(function, *given((3, 4)), backend="jax", modes=["jit"])
    assert found.unknown == ("lax.erf_inv",)
    assert found.right, found.text

    def stopped(x):
        return jnp.exp(x) * jax.lax.stop_gradient(x)

    found = tensorproof.judge(stopped, *given((3, 4)), backend="jax", modes=["jit"])
    assert found.right, found.text
    assert not found.notes


def test_a_function_that_casts_is_judged_in_the_dtypes_of_its_values():
    def function(x, w):
        y = jnp.matmul(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16), preferred_element_type=jnp.float32)
        return jax.nn.softmax(0.5 * y), y.astype(jnp.float16)

    found = tensorproof.judge(function, *given((4, 6), (6, 6)), backend="jax", modes=["jit"])
    assert {"matmul", "softmax", "cast"} & set(found.calls) >= {"matmul", "cast"}
    assert not found.unknown
    assert found.modes["jit"].status == "passed", found.text

    def wide(x, w):
        return jax.nn.softmax(0.5 * (x @ w)), (x @ w).astype(jnp.float16)

    found = tensorproof.judge(function, *given((4, 6), (6, 6)), backend="jax", modes=["jit"], compilers={"mine": lambda _: wide})
    assert found.modes["mine"].status == "failed"


def test_arguments_may_differ_in_dtype():
    x, w = given((4, 6), (6, 6))
    found = tensorproof.judge(lambda x, w: jnp.tanh(x + w[:4]), x.astype(jnp.bfloat16), w, backend="jax", modes=["jit"])
    assert not found.unknown
    assert found.modes["jit"].status == "passed", found.text


def test_a_function_that_does_something_else_when_traced_is_judged_by_its_run():
    def function(q, k, v):
        scores = q @ k.T
        weights = jax.nn.softmax(scores * 1.01 if isinstance(scores, jax.core.Tracer) else scores)
        return jax.nn.gelu(weights @ v)

    found = tensorproof.judge(function, *given((4, 6), (5, 6), (5, 4)), backend="jax")
    assert {mode: item.status for mode, item in found.modes.items()} == {"jit": "failed", "eager": "passed"}, found.text
    assert found.notes[0].startswith("traced, the function calls something else")


def test_a_run_that_leaves_the_framework_cannot_be_repeated_and_the_traced_calls_stand():
    def function(x):
        return jnp.sin(x) if isinstance(x, jax.core.Tracer) else jnp.asarray(np.cos(np.asarray(x)))

    found = tensorproof.judge(function, *given((3, 4)), backend="jax")
    assert {mode: item.status for mode, item in found.modes.items()} == {"jit": "passed", "eager": "failed"}, found.text
    assert found.notes == (
        "traced, the function calls something else than when it is run eagerly; its run cannot be repeated call by call",
    )


def test_what_a_compiled_part_of_a_function_sees_when_traced_is_the_same_in_each_mode():
    @jax.jit
    def part(x):
        return x * 1.01 if isinstance(x, jax.core.Tracer) else x

    found = tensorproof.judge(lambda x: jnp.tanh(part(x)), *given((3, 4)), backend="jax")
    assert found.right, found.text
    assert not found.notes
