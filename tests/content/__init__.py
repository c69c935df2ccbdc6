"""Properties of content, and designs that violate them."""
