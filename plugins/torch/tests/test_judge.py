"""``tensorproof.judge`` on functions of PyTorch: three right ones, and two that a compiler of the user's own rewrites wrongly."""

import pytest
import torch
from torch.nn import functional

import tensorproof
from tensorproof.errors import UsageError

NET = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU(), torch.nn.LayerNorm(8))


def block(x):
    """A layer with its residual."""
    return NET(x) + x


def attention(q, k, v):
    """With a causal mask."""
    mask = torch.full((5, 5), float("-inf")).triu(1)
    return functional.softmax(q @ k.transpose(-1, -2) / 8**0.5 + mask, -1) @ v


def classified(x, labels):
    """A loss, and the probability of the likeliest class."""
    return {"loss": functional.cross_entropy(x, labels), "largest": x.softmax(-1).max(-1).values}


def pooled(x, weight):
    """Changes an array in place on the way."""
    y = functional.conv2d(x, weight, padding=1)
    y.relu_()
    return functional.pad(functional.max_pool2d(y, 2).flatten(1), (0, -3))


def rewriting(operation, change):
    """A compiler that lets another function's result take the place of an operation's."""

    def backend(module, inputs):
        for node in list(module.graph.nodes):
            if getattr(node.target, "__name__", node.target) == operation:
                with module.graph.inserting_after(node):
                    instead = module.graph.call_function(change, (node,))
                node.replace_all_uses_with(instead)
                instead.args = (node,)
        module.recompile()
        return module.forward

    return lambda function: torch.compile(function, backend=backend)


def plain(function):
    """A compiler that is right, and takes no time."""
    return torch.compile(function, backend="eager")


def of_every_rank(sequences, filters, volumes, kernels, images, spreading):
    """Convolution, transposed too, and pooling over one to three axes."""
    y = functional.conv1d(sequences, filters, stride=2, padding=2, groups=2)
    z = functional.conv3d(volumes, kernels, dilation=(2, 1, 1))
    spread = functional.conv_transpose2d(images, spreading, stride=2, padding=1, output_padding=(1, 0))
    largest = functional.max_pool1d(y, 2), functional.max_pool3d(z, 2, 1)
    averages = functional.avg_pool1d(y, 3, 1, 1), functional.avg_pool3d(z, (1, 2, 1), count_include_pad=False)
    return *largest, *averages, torch.tanh(spread)


CELL, GATED = torch.nn.LSTMCell(4, 5), torch.nn.GRU(4, 3)
BATCH, GROUPS = torch.nn.BatchNorm1d(6), torch.nn.GroupNorm(2, 6)


def recurrent(x, h, c, sequence):
    """Cells that PyTorch computes in place."""
    return *CELL(x, (h, c)), GATED(sequence)[0]


def normalized(x):
    """In training, and in groups."""
    return BATCH(x), GROUPS(x)


def masked(q, logits):
    """Attention to what came before, and labels of which some do not count."""
    loss = functional.cross_entropy(logits, torch.tensor([0, 2, 1]), ignore_index=0, label_smoothing=0.1)
    return functional.scaled_dot_product_attention(q, q, q, is_causal=True), loss


def written(x):
    """Parts by number, and parts written over."""
    y = x.clone()
    y[:, 1:3] = x[:, :2] * 2
    y[0] = 0.5
    y[:, -1].tanh_()
    places = torch.tensor([[0, -1], [1, 1]])
    return y, x[places], x[:, places], x[torch.tensor([0, 2]), torch.tensor([1, -2])], torch.sort(x, 1, descending=True)[0]


def given(*shapes):
    """Normal numbers."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (block, given((4, 8))),
        (attention, given(*[(2, 5, 8)] * 3)),
        (classified, [*given((6, 4)), torch.tensor([0, 1, 2, 3, 0, 1])]),
        (pooled, given((2, 3, 8, 8), (4, 3, 3, 3))),
        (recurrent, given((2, 4), (2, 5), (2, 5), (3, 2, 4))),
        (normalized, given((4, 6, 3))),
        (masked, given((2, 5, 8), (3, 4))),
        (written, given((3, 6))),
        (of_every_rank, given((2, 4, 9), (6, 2, 3), (2, 3, 5, 6, 4), (4, 3, 2, 2, 2), (2, 4, 5, 5), (4, 3, 2, 3))),
    ],
    ids=["block", "attention", "classified", "pooled", "recurrent", "normalized", "masked", "written", "of_every_rank"],
)
def test_a_right_function_is_right_in_every_mode(function, arguments):
    found = tensorproof.judge(function, *arguments, modes=["eager"], compilers={"mine": plain})
    assert {mode: item.status for mode, item in found.modes.items()} == {"eager": "passed", "mine": "passed"}, found.text
    assert not found.unknown
    assert not found.notes


def test_a_wrong_pass_of_a_compiler_is_found_where_it_is():
    wrong = rewriting("softmax", lambda x: x * 1.001)
    found = tensorproof.judge(attention, *given(*[(2, 5, 8)] * 3), modes=["eager"], compilers={"mine": wrong})
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed")
    assert "= softmax(" in found.modes["mine"].wrong


def test_a_function_that_came_compiled_is_judged_as_given():
    wrong = rewriting("gelu", lambda x: x.clamp(min=-0.1))
    found = tensorproof.judge(wrong(block), *given((4, 8)), modes=["eager"])
    assert (found.modes["eager"].status, found.modes["as given"].status) == ("passed", "failed")
    assert "= gelu(" in found.modes["as given"].wrong


def test_what_is_not_known_is_listed_and_the_rest_is_judged():
    def function(x):
        return torch.cumprod(x.exp(), 0), x.sin().sum(0)

    found = tensorproof.judge(function, *given((3, 4)), modes=["eager"])
    assert found.unknown == ("aten.cumprod.default",)
    assert found.modes["eager"].status == "passed"
    assert "results that are not judged: 0" in found.text


PLACES = torch.tensor([[0, 2, 2, 1], [1, 0, 3, 3], [2, 1, 1, 0]])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (lambda x: CELL(x)[0], lambda x: CELL(x)[0] * 1.001),
        (lambda x: x[torch.tensor([0, -1])], lambda x: x[torch.tensor([0, 1])]),
        (lambda x: torch.topk(x, 2).values, lambda x: torch.topk(x, 2, largest=False).values),
        (lambda x: x.topk(2, dim=0, largest=False)[0].sin(), lambda x: x.topk(2, dim=0)[0].sin()),
        (lambda x: x.scatter_add(1, PLACES, x), lambda x: x.scatter(1, PLACES, x)),
        (lambda x: x.scatter(0, PLACES[:, :1], x[:, :1]), lambda x: x.scatter(0, PLACES[:, :1], x[:, 1:2])),
        (
            lambda x: x.index_put((PLACES[:, 0], PLACES[:, 1]), x[:, 0]),
            lambda x: x.index_put((PLACES[:, 1] % 3, PLACES[:, 0]), x[:, 0]),
        ),
        (lambda x: x.index_put((PLACES[0] % 3,), x[:1], accumulate=True), lambda x: x.index_put((PLACES[0] % 3,), x[:1])),
    ],
    ids=["cell", "rows", "largest", "smallest", "added", "set", "put", "put_and_added"],
)
def test_a_wrong_cell_and_other_places_are_wrong(right, wrong):
    found = tensorproof.judge(right, *given((3, 4)), modes=["eager"], compilers={"mine": lambda _: wrong})
    assert not found.unknown
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed")


def test_a_row_that_is_set_twice_is_not_known_nor_where_the_largest_were():
    def function(x):
        return x.scatter(1, PLACES, x), torch.topk(x, 2).indices * x[:, :2]

    found = tensorproof.judge(function, *given((3, 4)), modes=["eager"])
    assert found.unknown == ("aten.scatter.src", "aten.topk.default[1]")


def test_what_is_drawn_is_not_known_since_the_next_call_draws_another():
    def function(x):
        return torch.tanh(x + torch.rand(3, 4)), torch.randperm(4), x.sin()[torch.randint(3, (2,))], x.exp()

    found = tensorproof.judge(function, *given((3, 4)), modes=["eager"])
    assert set(found.unknown) >= {"aten.rand.default", "aten.randperm.default", "aten.index.Tensor"}
    assert found.modes["eager"].status == "passed", found.text


def test_a_function_that_writes_over_an_argument_is_refused_by_its_place():
    with pytest.raises(UsageError, match="writes over its argument 1; let it write over a copy"):
        tensorproof.judge(lambda x, y: x + y.mul_(2), *given((3,), (3,)), modes=["eager"])


def test_a_variance_with_a_part_of_a_degree_is_not_known():
    found = tensorproof.judge(lambda x: (x.exp().var(0, correction=1.5), x.sin()), *given((3, 4)), modes=["eager"])
    assert found.unknown == ("aten.var.correction",)


def test_a_function_that_asks_whether_it_is_compiled_is_held_to_what_it_does_uncompiled():
    def function(x):
        return x.exp() * (1.001 if torch.compiler.is_compiling() else 1.0)

    found = tensorproof.judge(function, *given((3, 4)), modes=["eager"], compilers={"mine": plain})
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed")


def test_a_gradient_that_is_stopped_is_not_expected():
    found = tensorproof.judge(lambda x: x.exp() * x.detach(), *given((3,)), modes=["eager"])
    assert found.right, found.text
    assert not found.notes


def autocast(x, w):
    """A product in bfloat16 and a softmax in float32, as autocast has them."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return functional.softmax(x @ w, -1, dtype=torch.float32), functional.layer_norm(x @ w, (8,))


def test_a_function_of_several_dtypes_is_judged_in_those_of_its_values():
    found = tensorproof.judge(autocast, *given((4, 8), (8, 8)), modes=["eager"], compilers={"mine": plain})
    assert {"matmul", "softmax", "cast"} <= set(found.calls)
    assert not found.unknown
    assert {item.status for item in found.modes.values()} == {"passed"}, found.text


def test_a_cast_that_a_compiler_leaves_out_is_found():
    def function(x, y):
        return ((x + y).bfloat16().float() - x).exp()

    def kept(x, y):
        return (x + y - x).exp()

    found = tensorproof.judge(function, *given((4, 8), (4, 8)), modes=["eager"], compilers={"mine": lambda _: kept})
    assert (found.modes["eager"].status, found.modes["mine"].status) == ("passed", "failed")


def test_arrays_of_several_dtypes_meet_as_pytorch_promotes_them():
    x, y = given((4, 8), (4, 8))

    def function(x, y, scale):
        return (x * y).sin() * scale + x

    found = tensorproof.judge(function, x.bfloat16(), y, torch.tensor(0.5, dtype=torch.float64), modes=["eager"])
    assert not found.unknown
    assert found.modes["eager"].status == "passed", found.text
