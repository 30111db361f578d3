"""Read from databases: one read-only snapshot, over a connection that was proved, in one SQL for every engine."""
