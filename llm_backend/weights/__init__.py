"""The weights of policies: adapters, copies or shards, and their files.

An adapter is a LoRA update of a frozen base. A copy is a full set of weights. A shard is the part of a weight
that one process holds when weights are split over several.
"""
