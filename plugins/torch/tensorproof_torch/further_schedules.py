"""Learning-rate schedules beyond those of the texts (profile ``extended``)."""

import torch

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.schedules import rates_of
from tensorproof_torch.table import operations


@operations.native
def polynomial_schedule(
    learning_rate: Native, step: Native, *, steps: int = 16, power: float = 1.0, final: float = 0.0
) -> Native:
    """``PolynomialLR``, and ``LinearLR`` where a linear one ends above zero."""
    if final and power != 1.0:
        raise Unsupported("PolynomialLR ends at zero")
    if final:
        options = {"start_factor": 1.0, "end_factor": final, "total_iters": steps}
        return rates_of(torch.optim.lr_scheduler.LinearLR, learning_rate, step, **options)
    return rates_of(torch.optim.lr_scheduler.PolynomialLR, learning_rate, step, total_iters=steps, power=power)


@operations.native
def cosine_restarts_schedule(
    learning_rate: Native, step: Native, *, steps: int = 8, growth: int = 1, peak: float = 1.0, final: float = 0.0
) -> Native:
    """``CosineAnnealingWarmRestarts``."""
    if peak != 1.0:
        raise Unsupported("CosineAnnealingWarmRestarts restarts at the first rate")
    options = {"T_0": steps, "T_mult": growth, "eta_min": final * float(learning_rate)}
    return rates_of(torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, learning_rate, step, **options)
