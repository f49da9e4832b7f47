"""What exercises are made of."""
