"""The authors' tools: build, check, scaffold, the suite."""
