"""Tables, plots, text reports and exports. Nothing is measured here, nothing is printed here."""
