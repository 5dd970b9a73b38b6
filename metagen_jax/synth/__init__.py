"""From a spec to a search space, its costs, and the text of a network."""
