"""Tables, plots, text reports and exports. This package measures nothing and prints nothing."""
