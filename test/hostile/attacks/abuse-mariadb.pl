#!/usr/bin/perl
# Does with its database in MariaDB what would hurt the host or the other databases. Tells how each attempt ended.
require '/attacks/system-calls.pl';
require '/attacks/database-login.pl';

my $file = "/dev/shm/$login{NAME}";
attempt('mariadb', 'table outside', "CREATE TABLE $login{NAME} (a INT) ENGINE = MyISAM DATA DIRECTORY = '/dev/shm'");
attempt('mariadb', 'file', "SELECT 'x' INTO OUTFILE '$file'");
attempt('mariadb', 'account', 'CREATE USER somebody@localhost');
attempt('mariadb', 'setting', 'SET GLOBAL max_connections = 5');
# More than an instance may have in memory, and then nothing.
my $rows = "SELECT REPEAT('x', 250) AS a FROM seq_1_to_180000";
my $tables = join ";\n", map { "CREATE TEMPORARY TABLE t$_ (a CHAR(250) CHARACTER SET latin1) ENGINE = MEMORY AS $rows" } 1 .. 8;
attempt('mariadb', 'memory', "SET max_heap_table_size = 64 << 20;\n$tables;\nDO SLEEP(50); DO SLEEP(600);");
# Both would keep the database from being dropped, or others waiting.
attempt('mariadb', 'prepared transaction',
  "XA START 'kept'; INSERT INTO notes (text) VALUES ('x'); XA END 'kept'; XA PREPARE 'kept'");
keep('mariadb', "SELECT GET_LOCK('$login{NAME}', 0); SET max_statement_time = 0; DO SLEEP(600);");
