"""Rebuild a table so that its constraints hold whatever a generator draws: steps, each with a way there and back."""
