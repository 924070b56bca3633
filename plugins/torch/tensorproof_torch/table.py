"""The table in which the modules of this package register their functions."""

from tensorproof.backend import OperationTable

operations = OperationTable()
