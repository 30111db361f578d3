"""Answer requests to a database: say what may be asked, draw the answer, tell what it guarantees."""
