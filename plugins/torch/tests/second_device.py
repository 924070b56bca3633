"""A PyTorch device made in Python: ``second:0``, a renamed ``privateuse1`` whose tensors stand for tensors on the host.

Imported with ``-p second_device``. With ``SECOND_DEVICE_FALLS_BACK=aten::relu`` that operation silently returns tensors of the
host, as real devices do where a kernel is missing.
"""

import os
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "second"
FALLS_BACK = os.environ.get("SECOND_DEVICE_FALLS_BACK", "").split(",")

# By address of the storage, which every copy that autograd makes of a tensor shares.
ON_HOST: dict[int, torch.Tensor] = {}


def on_device(data: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = torch._C._acc.create_empty_tensor(tuple(data.shape), data.dtype)
    ON_HOST[made.untyped_storage()._cdata] = data
    return made


def on_host(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.device.type == NAME:
        return ON_HOST[value.untyped_storage()._cdata]
    return torch.device("cpu") if isinstance(value, torch.device) else value


def fallback(operator: Any, *arguments: Any, **keywords: Any) -> Any:
    given = [item for item in pytree.tree_leaves((arguments, keywords)) if isinstance(item, torch.Tensor)]
    originals = {id(on_host(item)): item for item in given}
    arguments, keywords = pytree.tree_map(on_host, (arguments, keywords))
    result = operator(*arguments, **keywords)
    if operator.name().split(".")[0] in FALLS_BACK:
        return result

    def back(item: Any) -> Any:
        if not isinstance(item, torch.Tensor):
            return item
        return originals[id(item)] if id(item) in originals else on_device(item)

    return pytree.tree_map(back, result)


def copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    on_host(target).copy_(on_host(source))
    return target


_setup_privateuseone_for_python_backend(rename=NAME)
library = torch.library.Library("_", "IMPL")
library.fallback(fallback, "PrivateUse1")
torch.library.impl("aten::_copy_from", "PrivateUse1")(copy_from)
torch.library.impl("aten::empty.memory_format", "PrivateUse1")(
    lambda size, **keywords: on_device(torch.empty(size, dtype=keywords.get("dtype")))
)
torch.library.impl("aten::empty_strided", "PrivateUse1")(
    lambda size, stride, **keywords: on_device(torch.empty_strided(size, stride, dtype=keywords.get("dtype")))
)
