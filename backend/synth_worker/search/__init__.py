"""Propose the next plan from what was tried."""
