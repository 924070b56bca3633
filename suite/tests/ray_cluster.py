"""A cluster of two nodes on this machine, for tests: a process that prints its address, and kills a node when it is told to.

Each line of standard input is a word: ``kill`` kills the second node, ``add NAME=VALUE`` adds one with that in its environment.
"""

import os
import sys

MEMORY = 80_000_000
"""Bytes of a node's object store: the least that Ray takes is 75 MB."""


def main() -> None:
    """Start the cluster and do as is said, until standard input ends."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=MEMORY, resources={"node": 1}) for _ in range(2)]
    print(f"address: {cluster.address}", flush=True)
    for line in sys.stdin:
        word, _, given = line.strip().partition(" ")
        if word == "kill":
            cluster.remove_node(nodes[1], allow_graceful=False)
        else:
            name, _, value = given.partition("=")
            cluster.add_node(num_cpus=1, object_store_memory=MEMORY, resources={"node": 1}, env_vars={name: value})
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
