"""``tensorproof.judge`` on functions of TensorFlow: right ones, one that a compiler gets wrong, and what is not known."""

import numpy as np
import pytest

import tensorproof

tensorproof_tensorflow = pytest.importorskip("tensorproof_tensorflow")
from tensorproof_tensorflow.framework import tf  # noqa: E402


def block(x, w, b):
    """A layer with its residual, normalized."""
    y = tf.nn.gelu(tf.nn.bias_add(x @ w, b)) + x
    mean, variance = tf.nn.moments(y, -1, keepdims=True)
    return (y - mean) * tf.math.rsqrt(variance + 1e-5)


def attention(q, k, v):
    """With a causal mask."""
    mask = tf.linalg.band_part(tf.ones((5, 5), tf.bool), -1, 0)
    scores = tf.einsum("bik,bjk->bij", q, k) / tf.sqrt(tf.cast(tf.shape(q)[-1], tf.float32))
    weights = tf.nn.softmax(tf.where(mask, scores, -np.inf), -1)
    return {"weights": weights, "out": tf.matmul(weights, v), "v": tf.pad(v, [[0, 0], [1, 0], [0, 2]])}


def moved(x):
    """Parts, moves and sums."""
    joined = tf.concat([tf.transpose(x), tf.cumsum(tf.transpose(x), 0)], 1)[1:, ::2]
    first, second = tf.split(joined, [2, 2], 1)
    largest = tf.reduce_max(tf.nn.silu(joined), 1), tf.reduce_logsumexp(joined, 0)
    return *largest, tf.nn.log_softmax(joined, 0), first[..., 1] * tf.unstack(second, axis=1)[0]


def convolved(x, w):
    """Images, a layer, and the largest of windows."""
    return tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, w, 2, "SAME")), 2, 1, "VALID")


def indexed(x):
    """Parts taken and changed by number, and a loss of labels."""
    labels, places = tf.constant([1, 0, 5, 2]), tf.constant([[0], [3]])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x)
    rows = tf.gather(x, labels, batch_dims=1), tf.gather(x, tf.stack([labels, labels], 1), batch_dims=1), tf.gather(x, [3, 0])
    one = tf.gather_nd(x, [[0, 1], [2, 5]]), tf.gather_nd(x, places)
    added = tf.tensor_scatter_nd_add(x, [[0], [3], [0]], x[1:]), tf.tensor_scatter_nd_update(x, places, 2 * x[1:3])
    return loss, rows, one, added, tf.math.unsorted_segment_sum(x, labels, 6)


SCALE = tf.Variable(np.linspace(0.5, 1.5, 6, dtype=np.float32))


@tf.function
def scaled(x):
    """A function of its own, with a variable."""
    return x * SCALE


def with_a_function(x):
    """What calls another function."""
    return tf.tanh(scaled(x)) + tf.gather(x, [2, 0, 1, 3])


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
        (convolved, [(2, 7, 8, 3), (3, 3, 3, 4)]),
        (with_a_function, [(4, 6)]),
        (indexed, [(4, 6)]),
    ],
    ids=["block", "attention", "moved", "convolved", "with_a_function", "indexed"],
)
def test_a_right_function_is_right_in_every_mode(function, shapes):
    found = tensorproof.judge(function, *given(*shapes), backend="tensorflow")
    assert {mode: item.status for mode, item in found.modes.items()} == dict.fromkeys(("eager", "function", "xla"), "passed"), (
        found.text
    )
    assert not found.unknown
    assert not found.notes


def test_a_wrong_rewrite_is_found_where_it_is():
    def wrong(function):
        def compiled(*arguments):
            tanh = tf.raw_ops.Tanh
            tf.raw_ops.Tanh = lambda x: tanh(x=x) * 1.001
            try:
                return function(*arguments)
            finally:
                tf.raw_ops.Tanh = tanh

        return compiled

    def function(x, y):
        return tf.exp(tf.raw_ops.Tanh(x=tf.sin(x) * y))

    inputs = given((3, 4), (3, 4))
    found = tensorproof.judge(function, *inputs, backend="tensorflow", modes=["function"], compilers={"mine": wrong})
    assert (found.modes["function"].status, found.modes["mine"].status) == ("passed", "failed")
    assert "= tanh(" in found.modes["mine"].wrong


def test_others_than_the_largest_are_wrong_and_where_they_were_is_not_known():
    def right(x):
        return tf.sin(tf.math.top_k(x, 2).values)

    def wrong(x):
        return tf.sin(tf.math.top_k(x, 3).values[:, 1:])

    inputs = given((3, 4))
    found = tensorproof.judge(right, *inputs, backend="tensorflow", modes=["eager"], compilers={"mine": lambda _: wrong})
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed"), found.text
    found = tensorproof.judge(
        lambda x: tf.cast(tf.math.top_k(x, 2).indices, tf.float32) * x[:, :2], *inputs, backend="tensorflow"
    )
    assert found.unknown == ("tf.TopKV2",)


def test_what_is_drawn_is_not_known_since_the_next_call_draws_another():
    def function(x):
        return x + tf.random.uniform(()), tf.gather(tf.sin(x), tf.random.uniform((2,), 0, 3, tf.int32)), tf.exp(x)

    found = tensorproof.judge(function, *given((3, 4)), backend="tensorflow", modes=["function"])
    assert set(found.unknown) >= {"tf.RandomUniform", "tf.RandomUniformInt"}
    assert found.modes["function"].status == "passed", found.text


def test_what_is_not_known_is_listed_and_a_stopped_gradient_is_none():
    def function(x):
        return tf.exp(x) * tf.stop_gradient(x), tf.sort(x, 0), tf.cast(tf.argmax(x, 1), tf.float32)

    found = tensorproof.judge(function, *given((3, 4)), backend="tensorflow", modes=["function"])
    assert found.unknown == ("tf.ArgMax",)
    assert found.right, found.text

    def stopped(x):
        return tf.exp(x) * tf.stop_gradient(x)

    found = tensorproof.judge(stopped, *given((3, 4)), backend="tensorflow", modes=["function"])
    assert found.right, found.text
    assert not found.notes


def test_a_function_that_its_user_compiled_is_judged_as_given_too():
    found = tensorproof.judge(tf.function(block, jit_compile=True), *given((4, 6), (6, 6), (6,)), backend="tensorflow")
    assert {mode: item.status for mode, item in found.modes.items()} == dict.fromkeys(
        ("eager", "function", "xla", "as given"), "passed"
    ), found.text


def test_a_function_that_cannot_be_traced_is_a_usage_error():
    def branching(x):
        return x if tf.reduce_sum(x) > 0 else -x

    with pytest.raises(tensorproof.errors.UsageError, match="the function cannot be traced"):
        tensorproof.judge(branching, *given((3,)), backend="tensorflow")


def test_a_function_that_casts_is_judged_in_the_dtypes_of_its_values():
    def function(x, w):
        y = tf.cast(tf.matmul(tf.cast(x, tf.bfloat16), tf.cast(w, tf.bfloat16)), tf.float32)
        return tf.exp(tf.cast(tf.cast(x, tf.bfloat16), tf.float32)), tf.cast(y, tf.float16)

    found = tensorproof.judge(function, *given((4, 6), (6, 6)), backend="tensorflow", modes=["eager", "function"])
    assert found.calls.count("cast") == 6
    assert {item.status for item in found.modes.values()} == {"passed"}, found.text

    def wide(x, w):
        return tf.exp(x), function(x, w)[1]

    found = tensorproof.judge(
        function, *given((4, 6), (6, 6)), backend="tensorflow", modes=["eager"], compilers={"mine": lambda _: wide}
    )
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed")


def test_a_function_that_does_something_else_when_traced_is_judged_by_its_run():
    def function(q, k, v):
        scores = tf.matmul(q, k, transpose_b=True)
        weights = tf.nn.softmax(scores * 1.01 if tf.inside_function() else scores)
        first, second = tf.split(weights @ v, 2, axis=1)
        return tf.concat([tf.tanh(second), first], axis=1)

    found = tensorproof.judge(function, *given((4, 6), (5, 6), (5, 4)), backend="tensorflow")
    wrong = {"eager": "passed", "function": "failed", "xla": "failed"}
    assert {mode: item.status for mode, item in found.modes.items()} == wrong, found.text
    assert found.notes[0].startswith("traced, the function calls something else")
