"""States that differ only by exchanging interchangeable slots, represented by one of them."""
