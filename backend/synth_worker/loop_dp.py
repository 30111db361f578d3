"""Run attempts under a privacy budget."""
