"""Pictures, cards and widgets."""
