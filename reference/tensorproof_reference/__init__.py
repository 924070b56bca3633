"""What is right: operations, their vector-Jacobian products and samples, in float64 NumPy. Imports no framework."""

__version__ = "0.1.0"
