"""Many candidates of different sizes, trained in one compiled program."""
