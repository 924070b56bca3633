"""The table in which every module of this plugin registers its functions."""

from tensorproof.backend import OperationTable

operations = OperationTable()
