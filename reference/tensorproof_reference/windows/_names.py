"""The names of axes of positions, and the record of an operation on windows by the number of these axes."""

POSITIONS = {1: "l", 2: "h w", 3: "d h w"}
"""Length; height and width; depth, height and width."""


def inputs_and_outputs(axes: int) -> dict[str, str]:
    """The axes of what has a channel for each channel that comes in."""
    return {"x": f"n c {POSITIONS[axes]}", "y": f"n c {POSITIONS[axes]}"}


def convolved(axes: int, weight: str) -> dict[str, str]:
    """The axes of a convolution's arrays; ``weight`` names the first two of the weight."""
    positions = POSITIONS[axes]
    return {"x": f"n c {positions}", "weight": f"{weight} {positions}", "bias": "o", "y": f"n o {positions}"}
