"""Names that the course owns: cluster, registry, namespaces, labels, capabilities."""

from __future__ import annotations

CLUSTER_NAME = "course"
"""Of the cluster, the gateway and the namespace; what the course owns starts with it."""
SYSTEM_NAMESPACE = "course-system"
"""The namespace of what runs in the cluster beside the lessons."""
CONTAINERS = "containers"
CLUSTER = "cluster"
ORDERS = "orders"
CGROUPS = "cgroups"
NETWORK_POLICY = "network-policy"
CAPABILITIES = (CONTAINERS, CLUSTER, ORDERS, CGROUPS, NETWORK_POLICY)
"""What a lesson or an exercise may say that it needs of the engine."""
NODE_NAME = f"{CLUSTER_NAME}-control-plane"
REGISTRY_NAME = "course-registry"
VERSION_HEADER = "Docker-Distribution-Api-Version"
OWNER_LABEL = "course.owner=course"
"""The label of containers and networks that the course may remove.

No image carries it: a label of an image is inherited by the learner's own images and containers.
"""
PROCESS_LABEL = "course.process"
"""The label of what must not outlive the process that made it (`course.measure.leftovers`)."""
CHECK_IMAGE = "course-check"
"""The name of images that a check builds: their tags begin with its process.

By name and not by label: to list by label Docker reads every image that it has.
"""
