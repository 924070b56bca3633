"""The groups that pages and indexes show."""

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.manual.groups import GROUPS, group_of


def test_every_operation_has_a_heading():
    assert {group_of(operation) for operation in known_operations().values()} <= GROUPS.keys()


def test_every_heading_has_operations():
    assert GROUPS.keys() <= {group_of(operation) for operation in known_operations().values()}
