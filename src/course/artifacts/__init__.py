"""Tools and images, and the four sources they come from."""
