"""Give a formal guarantee: noise, accounting, what is spent."""
