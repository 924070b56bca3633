"""The classes of case that find bugs, and those that each family of operations must have.

A sample's class is the first word of its name: ``padding_same_even_kernel`` is of class ``padding``. The classes come from
reading silent wrong-result bugs of deep-learning frameworks: what finds them is breadth of classes, not number of samples.
"""

from tensorproof_reference.operation import Sample

CLASSES = {
    "plain": "ordinary values and default arguments; the first sample, also used fused with neighbours and for subsets",
    "size": "one small and one larger size, below and above the switch between kernels",
    "width": "lengths around vector widths: 1, 2, 3, 7, 8, 9, 15, 16, 17, 127, 128, 513",
    "rank": "rank 1, and rank 3 or more",
    "unit": "axes of size 1",
    "empty": "empty batch or empty axis",
    "strided": "inputs that are transposed or sliced in memory",
    "axis": "other axes than the default, negative ones too",
    "nan": "NaN in the input",
    "infinity": "infinities in the input",
    "magnitude": "very large and very small values, logits of wide spread",
    "cancellation": "large mean with small deviation",
    "long": "long reductions",
    "expensive": "reductions so long that the default scope leaves them out",
    "ties": "equal values where one must be chosen",
    "kink": "points without a derivative",
    "zero": "exact zeros and their signs",
    "geometry": "stride, dilation and groups, different per axis",
    "padding": "same, asymmetric and output padding; even and odd kernels; odd sizes; kernel smaller than stride",
    "overhang": "windows that hang over the end",
    "mask": "masks and ignored labels together with one more feature",
    "recurrent": "several layers, both directions, with and without bias",
    "state": "non-zero and absent initial states",
    "statistics": "statistics of training against those of inference",
    "epsilon": "inputs so small that the placement of epsilon shows",
    "convention": "the alternatives where frameworks differ",
    "optional": "optional arguments left out or given",
    "repeated": "repeated indices",
    "bounds": "indices, labels and hyperparameters at and beyond the ends of their range",
    "reduction": "mean, sum and none",
    "labels": "one-hot, soft and integer labels",
    "broadcast": "operands of different shapes",
}

REQUIRED = {
    "elementwise": ("plain", "size", "width", "rank", "empty", "strided", "nan", "infinity", "magnitude", "zero"),
    "binary": (
        *("plain", "size", "width", "rank", "unit", "empty", "strided", "nan", "infinity", "magnitude", "zero", "broadcast"),
    ),
    "axis": (
        *("plain", "size", "width", "rank", "unit", "empty", "strided", "axis"),
        *("nan", "infinity", "magnitude", "cancellation", "ties"),
    ),
    "reduction": (
        *("plain", "size", "width", "rank", "unit", "empty", "strided", "axis"),
        *("nan", "infinity", "magnitude", "long"),
    ),
    "logical": ("plain", "size", "width", "rank", "unit", "empty", "strided", "axis", "long"),
    "moving": ("plain", "size", "rank", "unit", "empty", "strided", "nan", "infinity", "zero"),
    "indexed": ("plain", "size", "rank", "unit", "empty", "strided", "nan", "infinity", "zero", "bounds"),
    "sorting": (
        *("plain", "size", "width", "rank", "unit", "empty", "strided", "axis"),
        *("nan", "infinity", "magnitude", "ties", "long"),
    ),
    "product": ("plain", "size", "width", "rank", "unit", "empty", "strided", "nan", "infinity", "magnitude", "long"),
    "pooling": ("plain", "size", "rank", "unit", "empty", "strided", "nan", "infinity", "magnitude"),
    "window": ("plain", "size", "geometry", "padding", "unit", "empty", "strided", "nan", "infinity", "magnitude"),
    "normalization": (
        *("plain", "size", "rank", "unit", "strided", "nan", "magnitude", "cancellation", "long"),
        *("epsilon", "optional"),
    ),
    "reparameterization": ("plain", "size", "width", "rank", "unit", "strided", "nan", "magnitude", "long"),
    "lookup": ("plain", "size", "rank", "empty", "repeated", "bounds"),
    "recurrent": (*("plain", "size", "recurrent", "state", "unit", "strided", "nan", "magnitude", "optional", "convention"),),
    "padded": (*("plain", "size", "recurrent", "state", "unit", "bounds", "strided", "mask", "nan", "magnitude", "optional"),),
    "gates": ("plain", "size", "unit", "nan", "magnitude", "optional"),
    "attention": (*("plain", "size", "rank", "unit", "strided", "mask", "nan", "magnitude", "long", "optional", "convention"),),
    "cache": ("plain", "size", "unit", "state", "bounds", "strided", "nan", "magnitude", "long", "optional"),
    "block": ("plain", "size", "unit", "strided", "nan", "magnitude", "optional"),
    "positional": (
        *("plain", "size", "rank", "unit", "empty", "strided", "nan", "infinity", "magnitude", "zero"),
        *("optional", "convention"),
    ),
    "loss": ("plain", "size", "width", "unit", "strided", "nan", "infinity", "magnitude", "reduction", "rank"),
    "alignment": (
        *("plain", "size", "width", "unit", "empty", "strided", "nan", "infinity", "magnitude", "long"),
        *("reduction", "mask", "repeated", "bounds", "optional"),
    ),
    "penalty": ("plain", "size", "rank", "empty", "strided", "nan", "infinity", "magnitude", "zero"),
    "reshaping": ("plain", "size", "rank", "unit", "empty", "strided", "nan", "infinity", "zero", "convention"),
    "optimizer": ("plain", "size", "rank", "unit", "state", "zero", "epsilon", "long", "optional", "convention"),
    "matrix_optimizer": ("plain", "size", "unit", "state", "zero", "epsilon", "long", "optional", "convention"),
    "master_optimizer": ("plain", "size", "rank", "unit", "state", "zero", "epsilon", "long", "optional", "magnitude"),
    "quasi_newton": (
        *("plain", "size", "rank", "unit", "state", "zero", "long", "optional", "convention", "bounds", "magnitude"),
    ),
    "accumulation": ("plain", "size", "rank", "unit", "state", "zero", "long", "optional", "convention", "bounds"),
    "loss_scaling": (*("plain", "size", "rank", "unit", "state", "zero", "nan", "infinity", "bounds", "optional", "convention"),),
    "average": ("plain", "size", "rank", "unit", "state", "zero", "nan", "magnitude", "long", "optional", "convention"),
    "quantization": (
        *("plain", "size", "width", "rank", "unit", "empty", "strided", "infinity", "magnitude", "zero", "bounds", "axis"),
    ),
    "clipping": ("plain", "size", "rank", "unit", "zero", "nan", "infinity", "magnitude", "bounds"),
    "schedule": ("plain", "size", "bounds", "optional"),
    "image": ("plain", "size", "unit", "empty", "strided", "nan", "geometry", "convention"),
    "resampling": (
        *("plain", "size", "unit", "empty", "strided", "nan", "infinity", "magnitude"),
        *("geometry", "convention"),
    ),
    "sequence": ("plain", "size", "unit", "empty", "bounds", "convention"),
    "metric": ("plain", "size", "width", "unit", "ties", "bounds"),
    "initializer": ("statistics",),
    "model": ("plain", "unit"),
    "training": ("plain",),
    "fitting": ("plain",),
    "random": ("plain", "size", "rank", "empty", "strided", "nan", "infinity", "statistics", "optional"),
    "random_attention": (
        *("plain", "size", "unit", "empty", "strided", "mask", "nan", "magnitude", "long", "statistics", "optional", "bounds"),
    ),
}
"""For each ``Operation.family`` the classes that every operation of it must have; operations add their own beyond these."""


def class_of(sample: Sample) -> str:
    """The class that a sample's name begins with.

    Raises:
        ValueError: the first word of the name is no class.
    """
    word = sample.name.split("_")[0]
    if word not in CLASSES:
        raise ValueError(f"sample {sample.name!r}: a name begins with a class, one of {', '.join(CLASSES)}")
    return word
