#!/usr/bin/perl
# Does with its database in PostgreSQL what would hurt the host or the other databases. Tells how each attempt ended.
require '/attacks/system-calls.pl';
require '/attacks/database-login.pl';

my $file = "/dev/shm/$login{NAME}";
attempt('postgresql', 'table outside', "CREATE TABLESPACE kept LOCATION '/dev/shm'");
attempt('postgresql', 'file', "COPY (SELECT 'x') TO '$file'");
attempt('postgresql', 'program', "COPY (SELECT 'x') TO PROGRAM 'cat > $file'");
attempt('postgresql', 'account', 'CREATE ROLE somebody');
attempt('postgresql', 'setting', 'ALTER SYSTEM SET max_connections = 5');
# More than an instance may have in memory, and then nothing.
my $texts = join ";\n", map { "SELECT length(set_config('kept.text$_', repeat('x', 60000000), false))" } 1 .. 5;
attempt('postgresql', 'memory', "$texts;\nSET statement_timeout = 0; SELECT pg_sleep(600);");
attempt('postgresql', 'prepared transaction', "BEGIN; PREPARE TRANSACTION 'kept';");
keep('postgresql', "BEGIN; LOCK TABLE notes; SET statement_timeout = 0; SELECT pg_sleep(600);");
