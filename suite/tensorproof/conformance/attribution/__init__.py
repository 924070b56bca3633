"""Attribution: whether a failure is the operation's own, its neighbour's, or the adapter's."""
