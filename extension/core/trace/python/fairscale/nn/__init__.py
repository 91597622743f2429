"""fairscale.nn."""
