"""Attention whose heads share keys and values, with masks, biases, windows and lengths: see ``grouped_query_attention``."""

import numpy as np

from tensorproof_reference.arguments import require, require_broadcast
from tensorproof_reference.attention._heads import (
    ALIGNMENTS,
    Window,
    allowed_keys,
    grouped_product,
    heads_vjp,
    near_keys,
    require_heads,
    scores_of,
    scores_shape,
    weights_of,
)
from tensorproof_reference.attention._samples import attention_samples, head_workload
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS, attention_work, masked_softmax_vjp
from tensorproof_reference.primitives._binary import of_shape
from tensorproof_reference.trees import Array, Gradients

AXES = {
    "query": "b h l e",
    "key": "b g s e",
    "value": "b g s v",
    "mask": "... l s",
    "bias": "... l s",
    "key_lengths": "b",
    "y": "b h l v",
}


def grouped_query_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    key_lengths: Array | None = None,
    *,
    causal: bool = False,
    window: Window = None,
    alignment: str = "upper_left",
    scale: float | None = None,
    soft_cap: float | None = None,
    fully_masked_rows: str = "nan",
) -> Array:
    r"""Attention whose heads share keys and values in groups: head h of H has those of group :math:`\lfloor hG/H \rfloor` of G,

    .. math:: y_h = \mathrm{softmax}(s\, Q_h K_g^\top + B_h)\, V_g,

    with :math:`s = 1/\sqrt{E}` unless ``scale`` is given. One group is multi-query attention, H groups are plain attention.

    With ``soft_cap`` c the scaled scores are kept within ±c: S becomes :math:`c \tanh(S/c)`, before the bias is added.

    ``bias`` B is added to the scores. A key counts for a query where all allow it:

    - ``mask``, where it is true;
    - ``key_lengths``: only the first so many keys of an example;
    - ``causal=True``: keys up to the query's own position;
    - ``window``: so many keys before the query's position, and so many after it, at most.

    Query l stands at key l, or with ``alignment="lower_right"`` at key :math:`l + S - L`, so that the last query stands at the
    last key. Where a key does not count its score is -∞, whatever it is, and its weight 0.

    If all scores of a query are -∞, by these or by the bias, ``fully_masked_rows`` chooses the result:

    - ``"nan"``: NaN, the formula's own result;
    - ``"zero"``: zero;
    - ``"uniform"``: the plain mean of all values.

    Scores of such a query have no gradient.

    Shapes: ``query`` (B, H, L, E), ``key`` (B, G, S, E), ``value`` (B, G, S, V), the result (B, H, L, V); ``mask``, boolean, and
    ``bias`` broadcast to (B, H, L, S); ``key_lengths`` (B), of integers from 0 to S.
    Special values: NaN in a key makes every row NaN that may see it, also where a bias of -∞ is added; in a value that feature
    of every row (0 · NaN).
    Raises: ``ValueError`` if shapes do not fit, G does not divide H, there are no keys or features, ``soft_cap`` is not above
    0, or a keyword is unknown.
    Source: Ainslie et al. (2023), section 2; Vaswani et al. (2017), eq. 1; Beltagy, Peters & Cohan (2020), section 3.1 (window);
    Gemma Team (2024), section 2 (soft cap).
    """
    weights, _, _ = _weights(
        query, key, value, mask, bias, key_lengths, causal, window, alignment, scale, soft_cap, fully_masked_rows
    )
    return grouped_product(weights, value)


def _weights(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    bias: Array | None,
    key_lengths: Array | None,
    causal: bool,
    window: Window,
    alignment: str,
    scale: float | None,
    soft_cap: float | None,
    fully_masked_rows: str,
) -> tuple[Array, Array, Array | None]:
    """The weights, through which scores gradients pass, and the tanh of the soft cap, if there is one."""
    require_heads(query, key, value)
    if bias is not None:
        require_broadcast(bias, "bias", scores_shape(query, key))
    allowed = allowed_keys(query, key, mask, key_lengths, causal, window, alignment)
    scores = scores_of(query, key, scale)
    squashed = None
    if soft_cap is not None:
        require(soft_cap > 0, "soft_cap", "a number above 0", soft_cap)
        squashed = np.tanh(scores / soft_cap)
        scores = squashed * soft_cap
    return *weights_of(scores if bias is None else scores + bias, allowed, fully_masked_rows), squashed


def _vjp(
    dy: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    key_lengths: Array | None = None,
    *,
    causal: bool = False,
    window: Window = None,
    alignment: str = "upper_left",
    scale: float | None = None,
    soft_cap: float | None = None,
    fully_masked_rows: str = "nan",
) -> Gradients:
    r"""As without groups; gradients of keys and values are sums over the heads of their group, that of the bias is
    :math:`dS`, summed where the bias was broadcast. A soft cap multiplies :math:`dS` by :math:`1 - \tanh^2(S/c)` for the others.
    """
    weights, passing, squashed = _weights(
        query, key, value, mask, bias, key_lengths, causal, window, alignment, scale, soft_cap, fully_masked_rows
    )
    dscores = masked_softmax_vjp(grouped_product(dy, np.swapaxes(value, -1, -2)), weights, passing)
    uncapped = dscores if squashed is None else dscores * (1.0 - np.square(squashed))
    dbias = None if bias is None else of_shape(dscores, bias.shape)
    return {**heads_vjp(dy, uncapped, weights, query, key, scale), "bias": dbias}


def _work(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    key_lengths: Array | None = None,
    *,
    causal: bool = False,
    window: Window = None,
    alignment: str = "upper_left",
    scale: float | None = None,
    soft_cap: float | None = None,
    fully_masked_rows: str = "nan",
) -> Work:
    """That of plain attention with as many heads, over pairs that position allows; the bias added, and summed back; and for the
    soft cap a quotient, a tanh and a product, and back a square, a difference and a product.
    """
    batch, heads, queries, features = query.shape
    seen = int(np.count_nonzero(near_keys(queries, key.shape[2], causal, window, alignment)))
    pairs, rows = batch * heads * seen, batch * heads * queries
    work = attention_work(pairs, rows, features, value.shape[3])
    if soft_cap is not None:
        work = work + Work(flops=2 * pairs, transcendentals=pairs, backward_flops=3 * pairs)
    return work if bias is None else work + Work(flops=pairs, backward_flops=max(pairs - count(bias), 0))


OPERATIONS = (
    Operation(
        function=grouped_query_attention,
        vjp=_vjp,
        samples=attention_samples,
        family="attention",
        profile=EXTENDED,
        differentiable=("query", "key", "value", "bias"),
        axes=AXES,
        conventions={"fully_masked_rows": FULLY_MASKED_ROWS, "alignment": ALIGNMENTS},
        workload=head_workload,
        work=_work,
    ),
)
