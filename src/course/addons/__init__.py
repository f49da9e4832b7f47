"""What runs in the cluster beside the lessons: one module each, with `install` and `remove`."""
