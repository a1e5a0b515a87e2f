"""What the fault scenarios stand on; see docs/reliability.md."""
