"""How a device goes through the candidates of a chunk."""

LOOP, VMAP = "loop", "vmap"  # one after the other; side by side
