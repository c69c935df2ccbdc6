"""The page that decides: a row for each design, columns that are each decided by running it."""
