"""deepspeed.ops."""
