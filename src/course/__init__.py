"""DevOps for Backend Engineers: the helper package of the course."""
