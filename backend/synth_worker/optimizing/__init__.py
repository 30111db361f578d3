"""Go from an attempt's evidence to the root cause of its failures, and from there to what to change."""
