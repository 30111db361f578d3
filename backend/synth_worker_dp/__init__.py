"""Run differentially private jobs."""
