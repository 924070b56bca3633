"""Blocks of Hugging Face Transformers as a backend, on PyTorch: layers of its models with small random weights.

Only what Transformers adds is checked here. Tensors, modes and gradients are those of PyTorch's plugin.
"""

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tensorproof.backend import Backend, Forward, Function, Implementation, Native, hookimpl
from tensorproof_reference.model import Model
from tensorproof_torch import TorchBackend
from tensorproof_transformers import functions, table
from tensorproof_transformers.table import operations

table.declare_the_rest()


class TransformersBackend(TorchBackend):
    """Layers of Transformers, eager and by ``torch.compile``."""

    name = "transformers"
    operations = operations
    variants = {}
    layouts = functions.LAYOUTS
    declarations = Path(__file__).with_name("declarations.toml")

    def versions(self) -> Mapping[str, str]:
        """Of Transformers and of PyTorch."""
        return {"transformers": importlib.metadata.version("transformers"), **super().versions()}

    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """None: PyTorch's plugin tells those of its layers."""
        return {}

    def model(self, model: Model) -> Implementation | None:
        """None: PyTorch's plugin makes those of PyTorch's layers."""
        return None

    def _in_mode(self, function: Function, mode: str) -> Forward:
        run = super()._in_mode(function, mode)
        if mode == "eager":
            return run
        made = False

        def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
            nonlocal made
            if not made:  # a first call without the compiler makes the layer
                with torch.no_grad():
                    function(primals, constants)
                made = True
            return run(primals, constants)

        return call

    def breaks_graph(self, operation: str, mode: str) -> bool:
        """Each is one graph."""
        return False


@hookimpl
def tensorproof_backend() -> Backend:
    """The backend."""
    return TransformersBackend()
