"""Ask PostgreSQL what a role could do beyond reading, whatever the session forbids."""

from __future__ import annotations

WRITES = """
SELECT what FROM (
  SELECT 'CREATE ROLE' AS what FROM pg_roles WHERE rolname = current_user AND rolcreaterole
  UNION ALL SELECT 'CREATE DATABASE' FROM pg_roles WHERE rolname = current_user AND rolcreatedb
  UNION ALL SELECT 'REPLICATION' FROM pg_roles WHERE rolname = current_user AND rolreplication
  UNION ALL SELECT 'BYPASSRLS' FROM pg_roles WHERE rolname = current_user AND rolbypassrls
  UNION ALL SELECT 'member of ' || rolname FROM pg_roles WHERE rolname IN (
    'pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files', 'pg_execute_server_program',
    'pg_signal_backend', 'pg_checkpoint', 'pg_maintain', 'pg_create_subscription'
  ) AND pg_has_role(oid, 'MEMBER')
  UNION ALL SELECT 'CREATE in database ' || datname FROM pg_database
    WHERE datname = current_database() AND has_database_privilege(oid, 'CREATE')
  UNION ALL SELECT 'CREATE in schema ' || nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE')
  UNION ALL SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
         OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
  UNION ALL SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE') END
) AS rights LIMIT 20
"""
"""Name rights by which a role could change something; without a schema that is ours no name can be shadowed."""

OWNS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND pg_has_role(c.relowner, 'MEMBER') LIMIT 20
"""

SESSION = """
SELECT current_setting('server_version'), current_user, coalesce(s.ssl, false), s.version, s.cipher,
  (SELECT bool_or(r.rolsuper) FROM pg_roles r WHERE r.rolsuper AND pg_has_role(r.oid, 'MEMBER')),
  current_setting('transaction_read_only') = 'on'
FROM (SELECT pg_backend_pid() AS pid) AS own LEFT JOIN pg_stat_ssl AS s ON s.pid = own.pid
"""

COLUMNS = """
SELECT a.attname, format_type(
  CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END,
  CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = ? AND c.relname = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0
AND NOT a.attisdropped AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum
"""

TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY c.relname
"""
