"""Carry out the commands of ``gesalp``; ``cli`` imports each module when its command runs."""
