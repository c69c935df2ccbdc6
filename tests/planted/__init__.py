"""Mistakes that authors of protocols make, planted in the shipped designs, and which property sees each."""
